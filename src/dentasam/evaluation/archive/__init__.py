"""Charts of an archive: every tooth of every image found and numbered, without prompts, and written as it comes."""
