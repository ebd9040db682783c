import type { Call, Handler } from './call.ts';
import { notFound } from './errors.ts';
import { readNotificationConfig, toNotificationResource } from './notification-config.ts';
import type { StorageStore } from './store.ts';

/** @see https://cloud.google.com/storage/docs/json_api/v1/notifications */
export function notificationCalls(store: StorageStore, url: () => string): Record<string, Handler> {
  /** Ids aren't used again. */
  let lastId = 0;
  const find = ({ path }: Call) => {
    const bucket = store.findBucket(path['bucket']);
    const config = bucket.notificationConfigs.get(path['notification'] ?? '');
    if (config) return { bucket, config };
    throw notFound(`Notification ${path['notification']} not found`);
  };
  return {
    'notifications.insert'({ path, body }) {
      const bucket = store.findBucket(path['bucket']);
      const config = readNotificationConfig(body, String(lastId + 1));
      lastId += 1;
      bucket.notificationConfigs.set(config.id, config);
      return { json: toNotificationResource(config, bucket.name, url()) };
    },

    'notifications.list'({ path }) {
      const { name, notificationConfigs } = store.findBucket(path['bucket']);
      const items = [...notificationConfigs.values()].map((config) =>
        toNotificationResource(config, name, url()),
      );
      return { json: { kind: 'storage#notifications', ...(items.length > 0 && { items }) } };
    },

    'notifications.get'(call) {
      const { bucket, config } = find(call);
      return { json: toNotificationResource(config, bucket.name, url()) };
    },

    'notifications.delete'(call) {
      const { bucket, config } = find(call);
      bucket.notificationConfigs.delete(config.id);
      return { status: 204 };
    },
  };
}
