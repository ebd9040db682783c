import type { Cloud } from './cloud.ts';

interface Server {
  intercept:
    | ((call: { readonly method: string; readonly phase: string; readonly request: object }) => void)
    | undefined;
}

/** The local servers that functions call, by name. */
export function serversOf({ stack }: Pick<Cloud, 'stack'>): [name: string, server: Server][] {
  const servers = {
    Firestore: stack.firestore,
    'Secret Manager': stack.secretmanager,
    'Pub/Sub': stack.pubsub,
    BigQuery: stack.bigquery,
    'Cloud Storage': stack.storage,
    KMS: stack.kms,
  };
  return Object.entries(servers).map(([name, server]) => {
    if (server === undefined) throw new Error(`${name} is somebody else's`);
    return [name, server as Server];
  });
}

/** The calls that the local servers got while something was done. */
export async function callsOf(cloud: Pick<Cloud, 'stack'>, work: () => Promise<unknown>): Promise<string[]> {
  // What is done after a result was published belongs to what came before.
  await cloud.stack.pubsub?.idle();
  const calls: string[] = [];
  for (const [name, server] of serversOf(cloud)) {
    server.intercept = ({ method, phase }) => {
      if (phase === 'before' && isCall(method)) calls.push(`${name} ${method}`);
    };
  }
  await work();
  // The result is published before the record says so; the acknowledgement comes last.
  await cloud.stack.pubsub?.idle();
  for (const [, server] of serversOf(cloud)) server.intercept = undefined;
  return calls;
}

/** What a subscriber says to Pub/Sub while it waits has nothing to do with the operation. */
function isCall(method: string): boolean {
  return !['StreamingPull', 'Acknowledge', 'ModifyAckDeadline'].includes(method);
}

/** `Firestore Commit ×4, …`, in the order of the first calls. */
export function countCalls(calls: readonly string[]): string {
  return [...new Set(calls)]
    .map((call) => `${call} ×${calls.filter((one) => one === call).length}`)
    .join(', ');
}

/** How many calls only one of the two lists has. */
export function differingCalls(one: readonly string[], other: readonly string[]): number {
  const count = (calls: readonly string[], call: string) => calls.filter((each) => each === call).length;
  return [...new Set([...one, ...other])].reduce(
    (sum, call) => sum + Math.abs(count(one, call) - count(other, call)),
    0,
  );
}
