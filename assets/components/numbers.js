// Numbers as people read them; the same texts as iwae_core/view/numbers.py writes (a test holds it).

const MINUS = "\u2212";
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// A number with `count` significant digits.
export function digits(value, count = 3) {
  if (Number.isNaN(value)) return "?";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6) {
    const rounded = Number(value.toPrecision(count));
    return grouped(fixed(rounded, Math.max(0, count - 1 - Math.floor(Math.log10(Math.abs(rounded))))));
  }
  const [mantissa, power] = value.toExponential(count - 1).split("e");
  const raised = String(Number(power)).replace("-", "⁻").replace(/\d/g, (digit) => RAISED[digit]);
  return `${mantissa.replace("-", MINUS)}·10${raised}`;
}

// Thousands apart from five digits on: 31,600.
const grouped = (text) => (/^\D?\d{5,}$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ",") : text);

// A fixed number of decimals; zero never has a sign.
export function fixed(value, decimals = 2) {
  if (!Number.isFinite(value)) return digits(value);
  let text = value.toFixed(decimals);
  if (Number(text) === 0) text = text.replace("-", "");
  return text.replace("-", MINUS);
}

// A difference with a fixed number of decimals; what rounds to zero has no sign.
export function signed(value, decimals = 2) {
  const text = fixed(value, decimals);
  return value > 0 && /[^0.]/.test(text) ? `+${text}` : text;
}

// A whole number as an index: L₆₄.
export const sub = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

export const percent = (share) => `${digits(100 * share, 2)} %`;
