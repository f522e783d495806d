/**
 * Text from elsewhere must not steer a terminal or forge a line of a log: control, bidi, invisible, private and lone
 * surrogate characters are shown as escapes, and the length is cut.
 */
export function printable(text: string, maxChars: number): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/gu, escaped)
}

const escaped = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`
