import { Cron } from 'croner';
import type { Manifest } from '../shared/manifest.ts';

/** Jobs that publish to topics, as Cloud Scheduler's do. */
export interface Scheduler {
  stop(): void;
}

/**
 * Publishes to the topic of each function that has a schedule, when it says so: by unix cron, in UTC.
 *
 * @param publish gets the topic. Where it fails the error is told, and the next time comes
 * @see https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules
 */
export function startScheduler(
  manifests: readonly Pick<Manifest, 'name' | 'trigger'>[],
  publish: (topic: string) => Promise<unknown>,
  onError: (functionName: string, error: unknown) => void,
): Scheduler {
  const jobs = manifests.flatMap(({ name, trigger: { topic, schedule } }) => {
    if (schedule === undefined) return [];
    const options = {
      timezone: 'UTC',
      mode: '5-part',
      unref: true,
      catch: (error: unknown) => onError(name, error),
    } as const;
    const run = async () => {
      await publish(topic);
    };
    return [new Cron(schedule, options, run)];
  });
  return {
    stop() {
      for (const job of jobs) job.stop();
    },
  };
}
