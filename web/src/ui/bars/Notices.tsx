import type { ReactNode } from "react";

import { visible } from "../labels/visible_text";
import { useSync, useWorkbench } from "../state/context";
import type { Link } from "../state/server_watch";
import { useStore } from "../state/store";

/** What the user has to do before work goes on as usual; a notice stays until it is done. */
export function Notices() {
  const { bench } = useWorkbench();
  const link = useStore(bench.watch, (state) => state.link);
  const picture = useStore(bench.watch, (state) => state.picture);
  return (
    <div className="notices" role="status" aria-live="polite" aria-label="Notices">
      {link !== "connected" && <LinkNotice link={link} />}
      {picture && (
        <Notice testid="picture-notice" title="The picture's file was replaced.">
          {picture.problem === null ? (
            <>
              <p>
                This is the old picture still; the model answers from the new one, so its masks are not shown here.
                All labels stay as they are: check them against the new picture.
              </p>
              <button
                type="button"
                className="quiet"
                onClick={() => void bench.reloadPicture()}
                data-testid="reload-picture"
              >
                Show the new picture
              </button>
            </>
          ) : (
            <p>{visible(picture.problem)}. The labels stay as they are; the model does not answer here until then.</p>
          )}
        </Notice>
      )}
    </div>
  );
}

const TITLES: Record<Exclude<Link, "connected">, string> = {
  unreachable: "The server does not answer.",
  "token-changed": "The server was started with another address.",
  "signed-out": "You are not signed in any more.",
  "other-workspace": "Another workspace answers at this address.",
  "other-annotator": "Somebody else is signed in in this browser.",
};

function LinkNotice({ link }: { link: Exclude<Link, "connected"> }) {
  const { bench } = useWorkbench();
  const { pending } = useSync();
  const terminal = (
    <>
      the terminal in which <code>dentasam label</code> runs
    </>
  );
  const port = location.port || "80";
  return (
    <Notice testid="link-notice" link={link} title={TITLES[link]}>
      {link === "unreachable" && (
        <p>
          Start <code>dentasam label</code> for these images again if it was stopped. This page goes on by itself. If
          it prints an address with another port than {port}, start it with <code>--port {port}</code>.
        </p>
      )}
      {link === "token-changed" && (
        <p>
          Ask for the new address: it stands in {terminal}. Open it in this browser, in another tab. This page then
          goes on by itself.
        </p>
      )}
      {link === "signed-out" && (
        <p>
          <a href="/login" target="_blank" rel="noopener">
            Sign in in another tab
          </a>{" "}
          as <bdi>{visible(bench.session.annotator)}</bdi>. This page then goes on by itself.
        </p>
      )}
      {link === "other-workspace" && (
        <p>
          The server was started for other images, or its workspace is new. Start it for “
          <bdi>{visible(bench.session.folder)}</bdi>” again, or look at {terminal} for where these images are now.
        </p>
      )}
      {link === "other-annotator" && (
        <p>
          Sign in as <bdi>{visible(bench.session.annotator)}</bdi> again, or load this page again to work under the
          other name.
        </p>
      )}
      <p data-testid="kept">
        {pending === 0
          ? "Everything up to here is on the server."
          : `${pending} unsent ${pending === 1 ? "change is" : "changes are"} kept in this browser.`}
      </p>
    </Notice>
  );
}

interface NoticeProps {
  title: string;
  testid: string;
  link?: Link;
  children: ReactNode;
}

function Notice({ title, testid, link, children }: NoticeProps) {
  return (
    <section className="notice" data-testid={testid} data-link={link}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}
