/** In the order in which they are told. */
const words = ['use', 'read', 'write', 'execute', 'create', 'own'];

/** What a privilege lets somebody do. One without a word of its own is told by its name. */
const meanings: Readonly<Record<string, readonly string[]>> = {
  'SCHEMA USAGE': ['use'],
  'SCHEMA CREATE': ['create'],
  'SCHEMA OWNER': ['create', 'own'],
  'TABLE SELECT': ['read'],
  'TABLE INSERT': ['write'],
  'TABLE UPDATE': ['write'],
  'TABLE DELETE': ['write'],
  'TABLE TRUNCATE': ['write'],
  'TABLE OWNER': ['read', 'write', 'own'],
  'COLUMN SELECT': ['read'],
  'COLUMN INSERT': ['write'],
  'COLUMN UPDATE': ['write'],
  'SEQUENCE SELECT': ['read'],
  'SEQUENCE USAGE': ['write'],
  'SEQUENCE UPDATE': ['write'],
  'SEQUENCE OWNER': ['read', 'write', 'own'],
  'ROUTINE EXECUTE': ['execute'],
  'ROUTINE OWNER': ['execute', 'own'],
  'TYPE USAGE': ['use'],
  'TYPE OWNER': ['own'],
  'DATABASE CREATE': ['create'],
  'DATABASE OWNER': ['own'],
};

/**
 * What rights come to in people's words.
 *
 * @param rights a class of objects with a privilege, or with OWNER: `TABLE SELECT`
 */
export function abilities(rights: Iterable<string>): string[] {
  const found = new Set<string>();
  for (const right of rights) {
    for (const word of meanings[right] ?? [right.slice(right.indexOf(' ') + 1).toLowerCase()])
      found.add(word);
  }
  // Whoever may do something may use the schema; alone it is worth a word.
  if (found.size > 1) found.delete('use');
  const rank = (word: string) => (words.includes(word) ? words.indexOf(word) : words.length);
  return [...found].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
