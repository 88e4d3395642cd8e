// Airflow shows these pages in a frame of its own origin and marks its theme on the root element; follow it.
// Runs before the first paint, so that a dark page never flashes white.
(() => {
  const root = document.documentElement;
  let host = null;
  try {
    host = window.parent !== window ? window.parent.document.documentElement : null;
  } catch {
    host = null; // framed by another origin: keep to prefers-color-scheme
  }
  if (!host) return;
  root.classList.add("framed-by-airflow");
  const follow = () => {
    root.classList.toggle("is-dark", host.classList.contains("dark"));
    root.classList.toggle("is-light", !host.classList.contains("dark"));
  };
  follow();
  new MutationObserver(follow).observe(host, { attributes: true, attributeFilter: ["class"] });
})();
