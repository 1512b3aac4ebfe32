// Light or dark: as the system has it, until someone chooses.

const KEY = "fer-keras-theme";

/** Make a button that changes between light and dark; `changed` is called after each change. */
export function startTheme(button, changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const theme = localStorage.getItem(KEY) ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-pressed", String(theme === "dark"));
    changed();
  };
  system.addEventListener("change", apply);
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    apply();
  });
  apply();
}
