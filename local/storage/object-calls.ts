import type { Call, Handler } from './call.ts';
import { downloadOf } from './download.ts';
import { invalid } from './errors.ts';
import { toObjectResource } from './object.ts';
import { listObjects } from './object-list.ts';
import { mergeMetadata, type ObjectMetadata, requireCustomTimeKept } from './object-metadata.ts';
import { checkPreconditions } from './preconditions.ts';
import type { StorageStore } from './store.ts';

/** @see https://cloud.google.com/storage/docs/json_api/v1/objects */
export function objectCalls(store: StorageStore, url: () => string): Record<string, Handler> {
  const change = ({ path, query, body }: Call, merge: (before: ObjectMetadata) => ObjectMetadata) => {
    const bucket = store.findBucket(path['bucket']);
    const object = store.findObject(bucket, path['object'] ?? '', query['generation']);
    checkPreconditions(query, object, 'write');
    const { storageClass = object.storageClass } = body;
    if (storageClass !== object.storageClass)
      throw invalid('The storage class of an object is changed by rewriting it.');
    const metadata = merge(object.metadata);
    requireCustomTimeKept(object.metadata, metadata);
    return { json: toObjectResource(store.touchObject(bucket, object, metadata), url()) };
  };
  return {
    'objects.list'({ path, query }) {
      const { items, prefixes, ...rest } = listObjects(
        store.findBucket(path['bucket']).objects.values(),
        query,
      );
      return {
        json: {
          kind: 'storage#objects',
          ...rest,
          ...(prefixes.length > 0 && { prefixes }),
          ...(items.length > 0 && { items: items.map((object) => toObjectResource(object, url())) }),
        },
      };
    },

    'objects.get'({ path, query, request }) {
      const bucket = store.findBucket(path['bucket']);
      const object = store.findObject(bucket, path['object'] ?? '', query['generation']);
      checkPreconditions(query, object, 'read');
      if (query['alt'] === 'media') return downloadOf(object, request.headers);
      return { json: toObjectResource(object, url()) };
    },

    'objects.patch': (call) => change(call, (before) => mergeMetadata(call.body, before)),

    'objects.update': (call) => change(call, () => mergeMetadata(call.body)),

    'objects.delete'({ path, query }) {
      const bucket = store.findBucket(path['bucket']);
      const object = store.findObject(bucket, path['object'] ?? '', query['generation']);
      checkPreconditions(query, object, 'write');
      store.removeObject(bucket, object);
      return { status: 204 };
    },
  };
}
