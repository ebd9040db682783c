import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A process of a benchmark's own, which answers each order. */
export interface Child<Order, Answer> {
  /** One order at a time. */
  tell(order: Order): Promise<Answer>;
  stop(): Promise<void>;
}

/**
 * Starts a module as a process. It says once that it is ready, and answers each order with one message.
 *
 * @param file of the module
 */
export async function startChild<Order extends object, Answer>(
  file: string,
  environment: Readonly<Record<string, string>>,
): Promise<Child<Order, Answer>> {
  const child = fork(file, { env: { ...environment, PATH: process.env['PATH'] ?? '' } });
  const exited = once(child, 'exit');
  const answer = async (): Promise<Answer> => {
    const [message] = await Promise.race([once(child, 'message'), exited.then(() => [])]);
    if (message === undefined) throw new Error(`${file} has ended`);
    return message as Answer;
  };
  await answer();
  return {
    async tell(order) {
      const answered = answer();
      child.send(order);
      return answered;
    },
    async stop() {
      child.kill();
      await exited;
    },
  };
}
