// A story told to a colleague: what is typed is kept in this tab until it is sent, also when the page is loaded anew or the server is
// away. Real name and contact are never kept. Everything works without this file.
"use strict";
{
  const KEY = "assisted";
  const NEVER = ["csrf_token", "notice", "notice_lang", "real_name", "reach"];
  const LONGEST = 24 * 60 * 60 * 1000; // milliseconds; a tab can stay open for weeks
  const one = (selector) => document.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  let closed = false; // nothing is kept any more: it was sent or deleted

  const forget = () => {
    closed = true;
    try { sessionStorage.removeItem(KEY); } catch { /* nothing could be kept either */ }
  };
  const kept = () => {
    try {
      const draft = JSON.parse(sessionStorage.getItem(KEY));
      if (draft && Date.now() - draft.at > LONGEST) sessionStorage.removeItem(KEY);
      else return draft;
    } catch { /* no storage, or not ours */ }
    return null;
  };

  // What ends it: it was sent, somebody deletes it, somebody signs out.
  if (one("[data-sent]")) forget();
  all("[data-forget]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    if (!window.confirm(link.closest("[data-delete]").dataset.delete)) return;
    forget();
    window.location.replace(link.href);
  }));
  all("form[action$='/logout'], form[action$='/assisted/finish']").forEach((way) => way.addEventListener("submit", forget));
  const unfinished = one("[data-unfinished]");
  if (unfinished) unfinished.hidden = !kept();

  const form = one("form[data-keep]");
  if (form) {
    const { keep: owner, token: ask, done } = form.dataset;
    const controls = () => all("input[name],select[name],textarea[name]", form).filter((c) => !NEVER.includes(c.name));

    const save = () => {
      if (closed) return;
      const fields = [...new FormData(form)].filter(([name]) => !NEVER.includes(name));
      try {
        sessionStorage.setItem(KEY, JSON.stringify({ owner, at: Date.now(), fields }));
      } catch {
        one("[data-cannot]").hidden = false;
      }
    };

    // Put everything back where it was; say so only when that changed something.
    const restore = (draft) => {
      const values = (name) => draft.fields.filter(([known]) => known === name).map(([, value]) => value);
      const changed = controls().filter((control) => {
        const wanted = values(control.name);
        if (["radio", "checkbox"].includes(control.type)) {
          const before = control.checked;
          control.checked = wanted.includes(control.value);
          return before !== control.checked;
        }
        const before = control.value;
        control.value = wanted[0] ?? "";
        return before !== control.value && control.type !== "hidden";
      });
      changed.forEach((control) => {
        const folded = control.closest("details");
        if (folded && control.value) folded.open = true;
      });
      all("textarea[data-count]", form).forEach((area) => area.dispatchEvent(new Event("input")));
      if (changed.length) {
        history.scrollRestoration = "manual"; // or the sentence would stand above what is seen
        one("[data-restored]").hidden = false;
        one("[data-restored]").scrollIntoView({ block: "center", behavior: "instant" });
      }
    };

    let natively = false;
    const send = (button) => { natively = true; form.requestSubmit(button); };
    const draft = kept();
    if (draft && draft.owner !== owner) {
      forget();
      closed = false;
    } else if (draft) {
      const shown = form.elements.lang.value;
      restore(draft);
      if (form.elements.lang.value !== shown && !("filled" in form.dataset)) send(one("[name=show]"));
    }
    form.addEventListener("input", save);
    form.addEventListener("change", save);
    // "Enter" or "Go" on a small keyboard must not send half a story.
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
    });

    const say = (what) => {
      one("[data-sending]").textContent = what === "sending" ? one("[data-sending]").dataset.text : "";
      all("[data-said]").forEach((p) => { p.hidden = p.dataset.said !== what; });
      one("[data-trouble]").hidden = !what || what === "sending";
      one("[data-trouble]").scrollIntoView({ block: "nearest" });
    };
    const fetched = (url, options, seconds) =>
      fetch(url, { ...options, redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(seconds * 1000) });

    // First ask whether the server is here and who is signed in; then send without leaving the page. What came back with errors is
    // sent once more in the ordinary way, since the server shows them on its page. Sending twice makes no second story.
    const attempt = async (button) => {
      const here = await fetched(ask, { headers: { Accept: "application/json" } }, 15);
      if (here.type === "opaqueredirect") return "signed_out";
      if (!here.ok) return "server";
      const now = await here.json();
      if (now.owner !== owner) return "other";
      form.elements.csrf_token.value = now.token;
      if (button && button.name === "show") return send(button);
      const answer = await fetched(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }, 60);
      if (answer.type === "opaqueredirect") {
        forget();
        window.location.replace(done);
        return "sending";
      }
      if ([422, 429].includes(answer.status)) return send(one("[data-send]"));
      return [400, 403].includes(answer.status) ? "signed_out" : "server";
    };
    let sending = false;
    form.addEventListener("submit", async (event) => {
      if (natively) { natively = false; return; }
      event.preventDefault();
      if (sending) return;
      sending = true;
      save();
      say("sending");
      try {
        say(await attempt(event.submitter));
      } catch {
        say("away");
      }
      sending = false;
    });
  }
}
