/** So many characters of the metadata's texts are searched. */
const most = 20_000;

/** The texts in some metadata, for full text search. */
export function wordsOf(metadata: unknown): string {
  const words: string[] = [];
  let length = 0;
  const collect = (value: unknown): void => {
    if (length >= most) return;
    if (typeof value === 'string') {
      words.push(value);
      length += value.length + 1;
    } else if (typeof value === 'object' && value !== null) {
      for (const one of Object.values(value)) collect(one);
    }
  };
  collect(metadata);
  return words.join(' ').slice(0, most).toWellFormed();
}
