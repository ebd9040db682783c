import { PubSub } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import type { Manifest } from '../shared/manifest.ts';

export interface Wiring {
  /** Of Pub/Sub, as in PUBSUB_EMULATOR_HOST. */
  readonly host: string;
  readonly project: string;
  readonly manifests: readonly Manifest[];
  readonly urls: ReadonlyMap<string, string>;
  /** Cloud Storage, as in STORAGE_EMULATOR_HOST, and the buckets that objects are uploaded to. */
  readonly storage: { readonly url: string; readonly buckets: readonly string[] };
  readonly minimumBackoffSeconds?: number | undefined;
}

/**
 * Makes the topics and subscriptions that the manifests ask for, as Terraform does in the cloud. What exists already,
 * in somebody's own emulator, is used.
 */
export async function wireTopics({
  host,
  project,
  manifests,
  urls,
  storage,
  minimumBackoffSeconds,
}: Wiring): Promise<void> {
  const pubsub = new PubSub({ projectId: project, apiEndpoint: host, emulatorMode: true });
  const names = new Set([
    ...manifests.map(({ trigger }) => trigger.topic),
    ...manifests.flatMap((m) => m.permissions.publishes),
  ]);
  await Promise.all([...names].map((name) => unlessExists(pubsub.createTopic(name))));
  const deadLetters = manifests.find(({ name }) => name === 'dead-letter')?.trigger.topic;
  const running = manifests.filter(({ name }) => urls.has(name));
  await Promise.all(
    running.map(({ name, trigger, subscription }) => {
      const { maxDeliveryAttempts, filter } = subscription;
      const minimum = Math.min(
        subscription.minimumBackoffSeconds,
        minimumBackoffSeconds ?? Number.POSITIVE_INFINITY,
      );
      return unlessExists(
        pubsub.topic(trigger.topic).createSubscription(name, {
          // The framework takes the topic's name out of the path.
          pushEndpoint: `${urls.get(name)}/projects/${project}/topics/${trigger.topic}`,
          ackDeadlineSeconds: subscription.ackDeadlineSeconds,
          messageRetentionDuration: { seconds: 31 * 24 * 3600 },
          expirationPolicy: {},
          ...(filter === undefined ? {} : { filter }),
          retryPolicy: {
            minimumBackoff: duration(minimum),
            maximumBackoff: duration(subscription.maximumBackoffSeconds),
          },
          ...(maxDeliveryAttempts === undefined || deadLetters === undefined
            ? {}
            : {
                deadLetterPolicy: {
                  deadLetterTopic: `projects/${project}/topics/${deadLetters}`,
                  maxDeliveryAttempts,
                },
              }),
        }),
      );
    }),
  );
  await pubsub.close();
  await notify(
    project,
    storage,
    running.map(({ trigger }) => trigger),
  );
}

/** Has the buckets' events published to the topics of whom they concern. */
async function notify(
  project: string,
  { url, buckets }: Wiring['storage'],
  triggers: readonly Manifest['trigger'][],
): Promise<void> {
  const client = new Storage({ projectId: project, apiEndpoint: url });
  for (const { topic, bucketEvents } of triggers) {
    if (bucketEvents === undefined) continue;
    const name = `projects/${project}/topics/${topic}`;
    for (const bucket of buckets.map((one) => client.bucket(one))) {
      const [there] = await bucket.getNotifications();
      // In somebody's own emulator; two would tell everything twice.
      if (there.some(({ metadata }) => metadata.topic?.endsWith(name))) continue;
      await bucket.createNotification(name, {
        payloadFormat: 'JSON_API_V1',
        eventTypes: [...bucketEvents],
      });
    }
  }
}

function duration(seconds: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(seconds), nanos: Math.round((seconds % 1) * 1e9) };
}

async function unlessExists(creating: Promise<unknown>): Promise<void> {
  const alreadyExists = 6;
  await creating.catch((error: { code?: number }) => {
    if (error.code !== alreadyExists) throw error;
  });
}
