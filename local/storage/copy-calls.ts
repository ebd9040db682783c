import type { Readable } from 'node:stream';
import { notImplemented } from '../http/api-error.ts';
import type { JsonObject } from '../http/json.ts';
import { isObject } from '../http/json.ts';
import type { Call, Handler } from './call.ts';
import type { Content } from './content.ts';
import { invalid, required } from './errors.ts';
import { requireObjectName } from './names.ts';
import { type StoredObject, toObjectResource } from './object.ts';
import { mergeMetadata } from './object-metadata.ts';
import { checkPreconditions } from './preconditions.ts';
import { storageClassOf } from './storage-class.ts';
import type { StorageStore } from './store.ts';
import { contentOf } from './upload.ts';

const maximumSources = 32;

/** @see https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite */
export function copyCalls(store: StorageStore, url: () => string): Record<string, Handler> {
  const copy = ({ path, query, body }: Call): StoredObject => {
    const { bucket: sourceBucket, object = '', destinationBucket, destinationObject } = path;
    const source = store.findObject(store.findBucket(sourceBucket), object, query['sourceGeneration']);
    const name = requireObjectName(destinationObject);
    const bucket = store.findBucket(destinationBucket);
    // A description replaces all that the source had; the storage class is the bucket's in either case.
    const described = Object.keys(body).length > 0;
    const metadata = described ? mergeMetadata(body) : source.metadata;
    const storageClass = storageClassOf(body['storageClass'], bucket.settings.storageClass);
    checkPreconditions(query, source, 'write', 'ifSource');
    const { componentCount } = source;
    const content = { ...source.content, bytes: source.content.bytes.copy() };
    const copied = { name, metadata, storageClass, content, componentCount };
    return store.putObject(bucket.name, copied, (replaced) => checkPreconditions(query, replaced, 'write'));
  };

  return {
    'objects.copy': (call) => ({ json: toObjectResource(copy(call), url()) }),

    'objects.rewrite'(call) {
      const object = copy(call);
      const size = String(object.content.size);
      const resource = toObjectResource(object, url());
      return {
        json: {
          kind: 'storage#rewriteResponse',
          totalBytesRewritten: size,
          objectSize: size,
          done: true,
          resource,
        },
      };
    },

    async 'objects.compose'({ path, query, body }) {
      const bucket = store.findBucket(path['bucket']);
      const name = requireObjectName(path['object']);
      const description = descriptionOf(body);
      const sources = sourcesOf(body).map(({ source, generation, conditions }) => {
        const object = store.findObject(bucket, source, generation);
        checkPreconditions(conditions, object, 'write');
        return object;
      });
      const metadata = mergeMetadata(description);
      const storageClass = storageClassOf(description['storageClass'], bucket.settings.storageClass);
      const check = (replaced: StoredObject | undefined) => checkPreconditions(query, replaced, 'write');
      check(bucket.objects.get(name));
      const { md5Hash: _, ...content } = await joined(store, sources);
      const componentCount = sources.reduce((sum, source) => sum + (source.componentCount ?? 1), 0);
      const composed = { name, metadata, storageClass, content, componentCount };
      const object = store.putObject(bucket.name, composed, check);
      return { json: toObjectResource(object, url()) };
    },
  };
}

function joined(store: StorageStore, sources: readonly StoredObject[]): Promise<Content> {
  // All of them at once: one may be deleted while another is read.
  const streams = sources.map(({ content }) => content.bytes.read(0, content.size));
  return contentOf(store.contents.writer(), concatenate(streams));
}

async function* concatenate(streams: readonly Readable[]): AsyncGenerator<Buffer> {
  try {
    for (const stream of streams) yield* stream;
  } finally {
    for (const stream of streams) stream.destroy();
  }
}

function descriptionOf({ destination = {}, sourceObjects: _, kind: __, ...others }: JsonObject): JsonObject {
  const [other] = Object.keys(others);
  if (other !== undefined) throw notImplemented(`the field ${other} of objects.compose`);
  if (isObject(destination)) return destination;
  throw invalid('Invalid value for: destination');
}

interface Source {
  readonly source: string;
  readonly generation?: string;
  readonly conditions: Readonly<Record<string, string>>;
}

function sourcesOf({ sourceObjects }: JsonObject): Source[] {
  if (!Array.isArray(sourceObjects) || sourceObjects.length === 0) throw required('sourceObjects');
  if (sourceObjects.length > maximumSources) {
    throw invalid(
      `The number of source components provided (${sourceObjects.length}) exceeds the maximum (32)`,
    );
  }
  return sourceObjects.map((given: unknown) => {
    const { name, generation, objectPreconditions = {} } = isObject(given) ? given : {};
    const { ifGenerationMatch } = isObject(objectPreconditions) ? objectPreconditions : {};
    return {
      source: requireObjectName(name),
      ...(generation !== undefined && { generation: String(generation) }),
      conditions: ifGenerationMatch === undefined ? {} : { ifGenerationMatch: String(ifGenerationMatch) },
    };
  });
}
