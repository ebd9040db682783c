import { PubSub } from '@google-cloud/pubsub';
import { Cron } from 'croner';
import type { Manifest } from '../shared/manifest.ts';

/** Jobs that publish to topics, as Cloud Scheduler's do. */
export interface Scheduler {
  close(): Promise<void>;
}

/**
 * Publishes `{}` to the topic of each function that has a schedule, when it says so: by unix cron, in UTC. What can't be
 * published is logged, and the next time comes.
 *
 * @param host of Pub/Sub, as in PUBSUB_EMULATOR_HOST
 * @see https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules
 */
export function startScheduler(
  manifests: readonly Pick<Manifest, 'name' | 'trigger'>[],
  {
    host,
    project,
    onError,
  }: { host: string; project: string; onError: (name: string, error: unknown) => void },
): Scheduler {
  const pubsub = new PubSub({ projectId: project, apiEndpoint: host, emulatorMode: true });
  const jobs = manifests.flatMap(({ name, trigger: { topic, schedule } }) =>
    schedule === undefined
      ? []
      : [
          new Cron(
            schedule,
            { timezone: 'UTC', mode: '5-part', unref: true, catch: (error) => onError(name, error) },
            async () => {
              await pubsub.topic(topic).publishMessage({ data: Buffer.from('{}') });
            },
          ),
        ],
  );
  return {
    async close() {
      for (const job of jobs) job.stop();
      await pubsub.close();
    },
  };
}
