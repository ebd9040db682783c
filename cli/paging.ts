import type { DocumentSnapshot, Firestore, Query } from '@google-cloud/firestore';
import { ask } from './cloud.ts';

const pageSize = 200;

/**
 * What a query finds, read page by page: an answer that is too long would not arrive in time.
 *
 * @param query with an order, whose fields it selects
 * @param read makes something of a document; undefined leaves it out, before `limit` counts
 */
export async function collect<T>(
  query: (db: Firestore) => Query,
  limit: number,
  read: (document: DocumentSnapshot) => T | undefined,
): Promise<T[]> {
  const size = Math.min(pageSize, limit);
  const found: T[] = [];
  let last: DocumentSnapshot | undefined;
  for (;;) {
    const { docs } = await ask((db) => {
      const page = query(db).limit(size);
      return (last === undefined ? page : page.startAfter(last)).get();
    });
    for (const document of docs) {
      const one = read(document);
      if (one !== undefined) found.push(one);
      if (found.length === limit) return found;
    }
    last = docs.at(-1);
    if (docs.length < size) return found;
  }
}
