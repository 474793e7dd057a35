// The reader's theme as drawings need it.

import { background, grid, muted, roles, roleTexts, text } from "./theme.js";

export function isDark(element) {
  const color = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const [red, green, blue] = channels(color) ?? [255, 255, 255];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
}

export function channels(color) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  if (hex) return hex.slice(1).map((pair) => parseInt(pair, 16));
  const rgb = /^rgba?\(\s*([\d.]+)[\s,]+([\d.]+)[\s,]+([\d.]+)/i.exec(color);
  return rgb ? rgb.slice(1).map(Number) : null;
}

export function tones(element) {
  const mode = isDark(element) ? "dark" : "light";
  return {
    mode,
    ...roles[mode],
    text: text[mode],
    muted: muted[mode],
    grid: grid[mode],
    background: background[mode],
  };
}

// The roles' tones as CSS variables, for what is drawn by elements beside the canvas.
export function dress(element, mode) {
  if (element.dataset.theme === mode) return;
  element.dataset.theme = mode;
  for (const [name, tone] of Object.entries(roles[mode])) {
    element.style.setProperty(`--lab-${name}`, tone);
    element.style.setProperty(`--lab-${name}-text`, roleTexts[mode][name]);
  }
}
