"""Who may use the server: token, passwords, sessions, and the middleware that asks for them."""
