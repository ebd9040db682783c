import type { Readable } from 'node:stream';
import type { JsonObject } from '../http/json.ts';
import { type Checksums, verifyChecksums } from './checksums.ts';
import type { Content, ContentWriter } from './content.ts';
import { requireObjectName } from './names.ts';
import type { StoredObject } from './object.ts';
import { mergeMetadata } from './object-metadata.ts';
import { checkPreconditions } from './preconditions.ts';
import { storageClassOf } from './storage-class.ts';
import type { NewObject, StorageStore } from './store.ts';

/** What is known of an upload before its content. */
export interface UploadHead {
  readonly bucket: string;
  /** Parameters: the name, preconditions. */
  readonly query: Readonly<Record<string, string>>;
  /** The object as the client describes it, checksums included. */
  readonly body: JsonObject;
  /** Used where the description has none. */
  readonly contentType: string | undefined;
}

/** An object that is on its way. */
export class Upload {
  readonly #store: StorageStore;
  readonly #head: UploadHead;
  readonly #object: Omit<NewObject, 'content'>;

  /** @throws ApiError for whatever can be refused before the content is read */
  constructor(store: StorageStore, head: UploadHead) {
    this.#store = store;
    this.#head = head;
    const { query, body, contentType } = head;
    const { contentEncoding } = query;
    const bucket = store.findBucket(head.bucket);
    this.#object = {
      name: requireObjectName(query['name'] ?? body['name']),
      storageClass: storageClassOf(body['storageClass'], bucket.settings.storageClass),
      metadata: mergeMetadata({ contentType, contentEncoding, ...body }),
    };
    checkPreconditions(query, bucket.objects.get(this.#object.name), 'write');
  }

  /**
   * Makes the object.
   *
   * @throws ApiError where the content isn't what was announced, or something happened meanwhile that the client ruled out
   */
  finish(content: Content, ...checksums: readonly Checksums[]): StoredObject {
    const { bucket, query, body } = this.#head;
    return this.#store.putObject(bucket, { ...this.#object, content }, (replaced) => {
      verifyChecksums(content, body, ...checksums);
      checkPreconditions(query, replaced, 'write');
    });
  }
}

/** Reads all of a stream. */
export async function contentOf(writer: ContentWriter, chunks: AsyncIterable<Buffer>): Promise<Content> {
  try {
    for await (const chunk of chunks) await writer.write(chunk);
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** The chunks of a request, which can still be answered when reading stops before its end. */
export function chunksOf(request: Readable): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) };
}
