import { Firestore } from '@google-cloud/firestore';
import { localInstance, localProject } from '../../local/stack.ts';
import { secretsOf, type TestSecrets } from '../support/secrets.ts';
import { closedLoop } from './closed-loop.ts';
import type { Cloud } from './cloud.ts';
import { askFor } from './sides.ts';

export const rotateTopic = 'rotate-secret';

/** Of which all secrets' logins are writers. */
export const secretsSchema = 'app';

/** A secret of two logins, and where these are. */
export interface BenchSecret {
  readonly secret: string;
  readonly database: string;
}

/** As Drover names them. */
export function loginsOf(secret: string): readonly [string, string] {
  return [`${secret}_a`, `${secret}_b`];
}

/** Secret Manager and the registry of secrets, from outside. */
export async function withSecrets<T>(cloud: Cloud, use: (secrets: TestSecrets) => Promise<T>): Promise<T> {
  const [servicePath = '', port] = (cloud.environment['FIRESTORE_EMULATOR_HOST'] ?? '').split(':');
  const db = new Firestore({ projectId: localProject, servicePath, port: Number(port), ssl: false });
  const secrets = secretsOf({ environment: cloud.environment, db });
  try {
    return await use(secrets);
  } finally {
    await secrets.close();
    await db.terminate();
  }
}

/** Has Drover make the schema in these databases, and these secrets in it. */
export async function createSecrets(
  cloud: Cloud,
  secrets: readonly BenchSecret[],
  concurrency: number,
): Promise<void> {
  const target = (database: string) => ({ instance: localInstance, database });
  const databases = [...new Set(secrets.map(({ database }) => database))];
  await closedLoop(databases, concurrency, async (database) => {
    await askFor(cloud, 'create-schema', { target: target(database), schema: secretsSchema });
  });
  await closedLoop(secrets, concurrency, async ({ secret, database }) => {
    await askFor(cloud, rotateTopic, {
      secret,
      action: 'create',
      kind: 'postgres',
      target: target(database),
      schema: secretsSchema,
      level: 'writer',
    });
  });
}

/** So long ago that the grace period of a rotation at that time is over. */
export function longAgo(): Date {
  return new Date(Date.now() - 25 * 3_600_000);
}
