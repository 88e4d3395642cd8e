// The card on Airflow's home page: which deployments are alarmed. React comes from Airflow; nothing is built.
globalThis.AirflowPlugin = () => {
  const { createElement: h, useEffect, useState } = globalThis.React;
  const root = new URL(document.baseURI).pathname.replace(/\/$/, "");
  const [found, setFound] = useState(null);
  useEffect(() => {
    fetch(`${root}/llmmon/summary`)
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
      .then(setFound, () => setFound([]));
  }, []);
  if (!found || found.length === 0) return null;

  const tones = { alarmed: "error", silent: "success", learning: "info", empty: "muted" };
  const signs = { alarmed: "\u25b2", silent: "\u2713", learning: "\u25d4", empty: "\u25cb" };
  const words = { alarmed: "alarmed", silent: "silent", learning: "learning", empty: "no windows yet" };
  const colours = {
    error: "var(--chakra-colors-red-fg, #c9372c)", success: "var(--chakra-colors-green-fg, #2f7d4f)",
    info: "var(--chakra-colors-purple-fg, #6a5bc4)", muted: "inherit",
  };
  const chip = (item) =>
    h(
      "a",
      {
        key: item.name,
        href: `${root}/plugin/llmmon/llmmon/deployments/${encodeURIComponent(item.name)}`,
        style: {
          border: "1px solid var(--chakra-colors-border)", borderRadius: 8, padding: "0.4rem 0.8rem",
          display: "flex", gap: "0.5rem", alignItems: "baseline", fontSize: "0.875rem",
        },
      },
      h("span", { "aria-hidden": true, style: { color: colours[tones[item.state]] } }, signs[item.state]),
      h("strong", null, item.name),
      h("span", { style: { color: "var(--chakra-colors-fg-muted)" } },
        item.n_open ? `${item.n_open} open ${item.n_open === 1 ? "alert" : "alerts"}` : words[item.state]),
    );
  return h(
    "section",
    { "aria-label": "llmmon deployments", style: { display: "flex", flexWrap: "wrap", gap: "0.5rem", alignItems: "center" } },
    h("span", { style: { fontWeight: 600, marginRight: "0.3rem" } }, "LLM deployments"),
    found.map(chip),
  );
};
