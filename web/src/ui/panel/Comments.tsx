import { type FormEvent, useState } from "react";

import { visible, visibleSentences } from "../labels/visible_text";
import { useBench, useWorkbench } from "../state/context";
import { Section } from "./Section";

const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function shownTime(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? visible(time) : when.format(date);
}

export function Comments() {
  const { bench } = useWorkbench();
  const comments = useBench((state) => state.comments);
  const open = useBench((state) => state.caseId);
  const [text, setText] = useState("");
  const [sending, setSending] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setSending(true);
    // The text stays in the field until the server has it.
    if (await bench.comment(text)) setText("");
    setSending(false);
  };

  return (
    <Section name="comments" title="Comments" note={comments.length > 0 ? `${comments.length}` : ""}>
      <ol className="comments" data-testid="comments">
        {comments.map((comment) => (
          <li key={comment.id}>
            <p dir="auto">{visibleSentences(comment.text)}</p>
            <small>
              <bdi>{visible(comment.annotator)}</bdi>, {shownTime(comment.time)}
            </small>
          </li>
        ))}
      </ol>
      <form className="comment-form" onSubmit={(event) => void submit(event)}>
        <textarea
          rows={2}
          dir="auto"
          value={text}
          placeholder="A comment on this case"
          aria-label="A comment on this case"
          disabled={open === null}
          onChange={(event) => setText(event.currentTarget.value)}
          data-testid="comment-text"
        />
        <button
          type="submit"
          className="quiet"
          disabled={sending || open === null || !text.trim()}
          data-testid="comment-send"
        >
          Add
        </button>
      </form>
    </Section>
  );
}
