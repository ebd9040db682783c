import { status } from '@grpc/grpc-js';
import { GrpcError, type Message } from '../grpc/server.ts';
import type { Database } from './database.ts';
import { parseMask, toWire } from './document-calls.ts';
import { checkCollectionId, checkParent, collectionOf, databaseOf } from './names.ts';
import type { DocumentStore } from './store.ts';
import type { Micros } from './time.ts';
import { compareNames, compareText } from './values.ts';
import type { ConsistencySelector, DocumentMask } from './wire.ts';

const defaultPageSize = 300;

/** The calls that list what is below a parent, page by page. */
export function listCalls(database: Database): Record<string, (request: Message) => Promise<Message>> {
  return {
    ListDocuments: async (
      request: {
        parent?: string;
        collectionId?: string;
        pageSize?: number;
        pageToken?: string;
        orderBy?: string;
        mask?: DocumentMask;
        showMissing?: boolean;
      } & ConsistencySelector,
    ) => {
      if (request.orderBy) throw new GrpcError(status.UNIMPLEMENTED, 'order_by is not supported.');
      const parent = checkParent(request.parent);
      const collection = `${parent}/${checkCollectionId(request.collectionId)}`;
      const mask = parseMask(request.mask);
      const view = database.view(databaseOf(parent), request);
      database.lockQuery(view, ({ name }) => collectionOf(name) === collection);
      const { store } = database;
      const documents = new Map<string, Message>();
      for (const document of store.inCollection(collection, view.time)) {
        documents.set(document.name, toWire(document, mask));
      }
      if (request.showMissing) {
        for (const name of parentsIn(store, collection, view.time)) {
          if (!documents.has(name)) documents.set(name, { name });
        }
      }
      const page = pageOf([...documents.keys()].sort(compareNames), request, compareNames);
      return { documents: page.items.map((name) => documents.get(name)), nextPageToken: page.nextPageToken };
    },

    ListCollectionIds: async (
      request: { parent?: string; pageSize?: number; pageToken?: string } & ConsistencySelector,
    ) => {
      const parent = checkParent(request.parent);
      const view = database.view(databaseOf(parent), request);
      const ids = new Set<string>();
      for (const path of database.store.collectionPaths(parent, view.time))
        ids.add(firstSegmentBelow(parent, path));
      const page = pageOf([...ids].sort(compareText), request, compareText);
      return { collectionIds: page.items, nextPageToken: page.nextPageToken };
    },
  };
}

/** Names of the documents of a collection that have subcollections, whether they exist themselves or not. */
function parentsIn(store: DocumentStore, collection: string, time: Micros | undefined): Set<string> {
  const names = new Set<string>();
  for (const path of store.collectionPaths(collection, time)) {
    names.add(`${collection}/${firstSegmentBelow(collection, path)}`);
  }
  return names;
}

function firstSegmentBelow(parent: string, path: string): string {
  const rest = path.slice(parent.length + 1);
  const slash = rest.indexOf('/');
  return slash === -1 ? rest : rest.slice(0, slash);
}

/** A page of sorted items. Its token is the last item, so that pages stay right while items come and go. */
function pageOf(
  items: readonly string[],
  { pageSize, pageToken }: { pageSize?: number; pageToken?: string },
  compare: (a: string, b: string) => number,
): { items: readonly string[]; nextPageToken: string } {
  const after = pageToken ? Buffer.from(pageToken, 'base64url').toString() : undefined;
  const rest = after === undefined ? items : items.filter((item) => compare(item, after) > 0);
  const page = rest.slice(0, pageSize || defaultPageSize);
  const last = page.at(-1);
  const more = last !== undefined && page.length < rest.length;
  return { items: page, nextPageToken: more ? Buffer.from(last).toString('base64url') : '' };
}
