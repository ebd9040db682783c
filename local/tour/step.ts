import pg from 'pg';
import { localInstance, type Stack } from '../stack.ts';

/** One thing that the tour shows. */
export interface Step {
  readonly title: string;
  /** Arguments of the `drover` command, or an object that is uploaded. */
  readonly does: readonly string[] | (() => readonly string[]) | Upload;
  readonly expected: {
    readonly state: 'succeeded' | 'planned' | 'failed';
    readonly code?: string;
    readonly note?: string;
    readonly changes?: number;
  };
  /** What the world does before the message is sent. */
  readonly before?: (stack: Stack) => Promise<void>;
  /** Something to show after it; false where it isn't as it should be. */
  readonly after?: (stack: Stack) => Promise<boolean>;
}

/** An object that lands in the bucket of uploads. */
export interface Upload {
  readonly object: string;
  readonly content: () => Buffer | Promise<Buffer>;
  /** The operation that came of it is another one's, which is shown. */
  readonly follow?: true;
}

export const target = (database: string) => ({ instance: localInstance, database });

/** Runs statements as the instance's admin. */
export async function asAdmin(stack: Stack, database: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: stack.cluster.adminUrl(database) });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
