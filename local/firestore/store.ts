import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { collectionOf, lastSegment } from './names.ts';
import { type Micros, retention } from './time.ts';
import type { Fields } from './wire.ts';

/** A document as it is at some time. Never changed: a write makes another one. */
export interface StoredDocument {
  readonly name: string;
  readonly fields: Fields;
  readonly createTime: Micros;
  readonly updateTime: Micros;
}

/** A document, or that there is none, from a time on. */
interface State {
  readonly since: Micros;
  readonly document: StoredDocument | undefined;
}

interface Slot {
  readonly name: string;
  current: State;
  /** Former states, oldest first, for reads of the past. */
  past: State[];
}

interface Collection {
  readonly path: string;
  readonly slots: Map<string, Slot>;
}

const maxFormerStates = 50_000;

/**
 * All documents of all databases, by collection, with their past for up to an hour.
 *
 * The past is a queue over all documents: what is superseded first is forgotten first, by age or when there
 * is too much of it. Reads before the newest forgotten state are refused, so they are never wrong.
 */
export class DocumentStore {
  readonly #collections = new Map<string, Collection>();
  readonly #collectionsById = new Map<string, Set<Collection>>();
  #former: { slot: Slot; until: Micros }[] = [];
  #formerStart = 0;
  #horizon: Micros = 0;

  get(name: string): StoredDocument | undefined {
    return this.#slot(name)?.current.document;
  }

  /** @throws FAILED_PRECONDITION when that time is no longer kept */
  getAt(name: string, time: Micros): StoredDocument | undefined {
    this.#checkKept(time);
    const slot = this.#slot(name);
    return slot && stateAt(slot, time).document;
  }

  /** Makes documents what `next` says from `time` on, all at once. */
  apply(changes: Iterable<{ name: string; next: StoredDocument | undefined }>, time: Micros): void {
    for (const { name, next } of changes) {
      const present = this.#slot(name);
      const slot = present ?? this.#addSlot(name);
      if (present) {
        slot.past.push(slot.current);
        this.#former.push({ slot, until: time });
      }
      slot.current = { since: time, document: next };
    }
    this.#forget(time);
  }

  /** Documents of one collection, in no order; as they were at `time` where it is given. */
  *inCollection(path: string, time?: Micros): Iterable<StoredDocument> {
    if (time !== undefined) this.#checkKept(time);
    const collection = this.#collections.get(path);
    if (collection) yield* documentsOf(collection, time);
  }

  /** Documents of every collection below `parent` with this id; of all collections if it is undefined. */
  *inGroup(parent: string, id: string | undefined, time?: Micros): Iterable<StoredDocument> {
    if (time !== undefined) this.#checkKept(time);
    const collections = id === undefined ? this.#collections.values() : (this.#collectionsById.get(id) ?? []);
    const prefix = `${parent}/`;
    for (const collection of collections) {
      if (collection.path.startsWith(prefix)) yield* documentsOf(collection, time);
    }
  }

  /** Paths of the collections anywhere below `parent` that have a document. */
  *collectionPaths(parent: string, time?: Micros): Iterable<string> {
    if (time !== undefined) this.#checkKept(time);
    const prefix = `${parent}/`;
    for (const collection of this.#collections.values()) {
      if (!collection.path.startsWith(prefix)) continue;
      for (const _document of documentsOf(collection, time)) {
        yield collection.path;
        break;
      }
    }
  }

  clear(): void {
    this.#collections.clear();
    this.#collectionsById.clear();
    this.#former = [];
    this.#formerStart = 0;
  }

  #slot(name: string): Slot | undefined {
    return this.#collections.get(collectionOf(name))?.slots.get(name);
  }

  #addSlot(name: string): Slot {
    const path = collectionOf(name);
    let collection = this.#collections.get(path);
    if (collection === undefined) {
      collection = { path, slots: new Map() };
      this.#collections.set(path, collection);
      const id = lastSegment(path);
      const group = this.#collectionsById.get(id) ?? new Set();
      this.#collectionsById.set(id, group.add(collection));
    }
    const slot: Slot = { name, current: { since: 0, document: undefined }, past: [] };
    collection.slots.set(name, slot);
    return slot;
  }

  #removeSlot(slot: Slot): void {
    const path = collectionOf(slot.name);
    const collection = this.#collections.get(path);
    if (collection?.slots.get(slot.name) !== slot) return;
    collection.slots.delete(slot.name);
    if (collection.slots.size > 0) return;
    this.#collections.delete(path);
    const group = this.#collectionsById.get(lastSegment(path));
    group?.delete(collection);
    if (group?.size === 0) this.#collectionsById.delete(lastSegment(path));
  }

  #checkKept(time: Micros): void {
    if (time < this.#horizon) {
      throw new GrpcError(status.FAILED_PRECONDITION, 'The requested snapshot version is too old.');
    }
  }

  #forget(now: Micros): void {
    for (;;) {
      const oldest = this.#former[this.#formerStart];
      const tooMany = this.#former.length - this.#formerStart > maxFormerStates;
      if (oldest === undefined || (!tooMany && oldest.until > now - retention)) break;
      this.#formerStart++;
      oldest.slot.past.shift();
      this.#horizon = oldest.until;
      if (oldest.slot.current.document === undefined && oldest.slot.past.length === 0)
        this.#removeSlot(oldest.slot);
    }
    if (this.#formerStart > maxFormerStates) {
      this.#former = this.#former.slice(this.#formerStart);
      this.#formerStart = 0;
    }
  }
}

function* documentsOf(collection: Collection, time: Micros | undefined): Iterable<StoredDocument> {
  for (const slot of collection.slots.values()) {
    const { document } = time === undefined ? slot.current : stateAt(slot, time);
    if (document) yield document;
  }
}

const nothing: State = { since: 0, document: undefined };

function stateAt(slot: Slot, time: Micros): State {
  if (slot.current.since <= time) return slot.current;
  return slot.past.findLast((state) => state.since <= time) ?? nothing;
}
