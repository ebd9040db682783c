const secretName = /passw|secret|token|private_?key|authorization|credential|api_?key|verifier|cookie/i;

const secretText: readonly (readonly [RegExp, string])[] = [
  [/\b(\w+:\/\/[^\s:@/]*:)[^\s/]+@/g, '$1[redacted]@'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 [redacted]'],
  [/_api_[0-9A-Za-z]{43}/g, '_api_[redacted]'],
  [/SCRAM-SHA-256\$[^\s'"]+/g, '[redacted]'],
  [/\b(PASSWORD\s+)'(?:[^']|'')*'/gi, "$1'[redacted]'"],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, '[redacted]'],
];

/**
 * A copy of a value fit for a log, an event or a record: what is named or looks like a secret is replaced.
 *
 * This is the second line of defence; the first is that no secret is ever put into such a value.
 */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') {
    return secretText
      .reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), value)
      .toWellFormed(); // cutting a text may have left half of a character
  }
  if (value instanceof Error) return redact(value.stack ?? value.message);
  if (value instanceof Date || Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return value.map(redact);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, secretName.test(name) ? '[redacted]' : redact(part)]),
  );
}
