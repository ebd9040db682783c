import { PubSub } from '@google-cloud/pubsub';
import type { Manifest } from '../shared/manifest.ts';

export interface Wiring {
  /** Of Pub/Sub, as in PUBSUB_EMULATOR_HOST. */
  readonly host: string;
  readonly project: string;
  readonly manifests: readonly Manifest[];
  readonly urls: ReadonlyMap<string, string>;
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
