import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, vi } from 'vitest';
import { publishDeferred } from '../../../functions/reconcile/deferred.ts';
import type { Part } from '../../../functions/reconcile/upkeep.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { Deferred } from '../../../shared/operation/deferral.ts';
import { createLogger } from '../../../shared/telemetry/log.ts';
import { name, nothing, type Run, useWorker, type Worker } from './worker.ts';

export const why = 'GitHub answers no more requests.';

export const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000);

/** A handler that has to wait for forty minutes, so many times, and then does its work. */
export function waiting(times = 1) {
  const run = vi.fn<Run>(async () => nothing);
  for (let time = 0; time < times; time += 1) {
    run.mockImplementationOnce(async () => {
      throw new Deferred(why, inMinutes(40));
    });
  }
  return run;
}

/** Time goes on, for everybody. */
export function passes(minutes: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: inMinutes(minutes) });
}

interface WaitingWorker extends Worker {
  /** A tick of `reconcile`, and the messages that it published, as they are delivered. */
  tick(dryRun?: boolean): Promise<{ readonly messages: readonly object[]; readonly part: Part }>;
}

/** A worker whose operations `reconcile` may publish again. */
export function useWaitingWorker(): WaitingWorker {
  const worker = useWorker();
  beforeAll(async () => {
    const pubsub = new PubSub({ projectId: 'acme', apiEndpoint: worker.pubsub.host, emulatorMode: true });
    await pubsub.createTopic(name);
    await pubsub.close();
  });
  // Not after each: Firestore's time never goes back.
  afterAll(() => void vi.useRealTimers());

  const tick: WaitingWorker['tick'] = async (dryRun = false) => {
    const messages: object[] = [];
    worker.onPublish = ({ phase, request }) => {
      if (phase === 'before' || !String(request['topic']).endsWith(`/topics/${name}`)) return;
      for (const { data, attributes } of request['messages'] as { data: Buffer; attributes: object }[]) {
        const publishTime = new Date().toISOString();
        messages.push({
          message: {
            data: data.toString('base64'),
            attributes: { ...attributes },
            messageId: '8',
            publishTime,
          },
        });
      }
    };
    const part = await publishDeferred(await firestore(), { dryRun, log: createLogger({}) });
    return { messages, part };
  };
  return Object.assign(worker, { tick });
}
