import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { schemaName, target } from './postgres/target.ts';
import { routeSchema } from './routes.ts';
import { defaultPlans, plansSchema } from './tenants/plans.ts';

const seconds = (fallback: number, least: number, most: number) =>
  z.coerce.number().min(least).max(most).default(fallback);

/** `project:region:name`, where each part may be or contain `*`. */
const instancePattern = z.string().regex(/^[a-z0-9*.:-]+:[a-z0-9*-]+:[a-z0-9*-]+$/, {
  error: 'must be project:region:name; * stands for any run of characters within a part',
});

/** Where a password is read from, each time a connection needs it: a mounted file follows a rotation, a variable doesn't. */
const passwordSource = z.union([z.strictObject({ file: z.string() }), z.strictObject({ env: z.string() })]);

const cloudSql = z.strictObject({
  instances: instancePattern,
  connector: z.literal('cloudsql'),
  /** For IAM: the service account's e-mail without `.gserviceaccount.com`. */
  user: z.string(),
  /** Without a password the login is by IAM. */
  password: passwordSource.optional(),
  ipType: z.enum(['PRIVATE', 'PUBLIC', 'PSC']).default('PRIVATE'),
  /** Another endpoint of the Cloud SQL Admin API, for tests. */
  adminApi: z.url().optional(),
});

const direct = z.strictObject({
  instances: instancePattern,
  connector: z.literal('direct'),
  host: z.string(),
  port: z.coerce.number().int().min(1).max(65535).default(5432),
  user: z.string(),
  password: passwordSource.optional(),
  /** The Cloud SQL Admin API that knows the instance's users. Without it IAM users can't be made there. */
  adminApi: z.url().optional(),
  /** `verify` checks the server's certificate against `ca` or the system's; `off` is for loopback. */
  tls: z.enum(['verify', 'off']).default('verify'),
  ca: z.string().optional(),
});

export const connectionSettings = z.discriminatedUnion('connector', [cloudSql, direct]);

/** How to reach the instances that a pattern covers, and as whom. */
export type ConnectionSettings = z.infer<typeof connectionSettings>;

const rule = z
  .strictObject({
    /** Names of functions this rule speaks of. */
    functions: z.array(z.string()).min(1),
    /** `project:region:name/database`; `*` stands for any run of characters within a part. */
    targets: z
      .array(z.string().regex(/^[^/]+:[^/]+:[^/]+\/.+$/s, 'must be project:region:name/database'))
      .default([]),
    /** Ids of secrets; `*` as in `principals`. */
    secrets: z.array(z.string()).default([]),
    /** Repositories and archives that may be read: `github:acme/*`, `gs://bucket/repositories/**`; `**` also covers `/`. */
    repositories: z.array(z.string()).default([]),
    /** Levels that may be made or granted; `custom:NAME` for custom roles. `*` as in `principals`. */
    levels: z.array(z.string()).default([]),
    /** Logins that may be given a level: names, where `*` stands for any run of characters but `:` and `/`. */
    principals: z.array(z.string()).default([]),
    /** Things that reach beyond one schema or one grant, such as `adopt` and `offboard`. */
    actions: z.array(z.string()).default([]),
    /** Grants have to end within so many hours; without it they may stay for ever. */
    longestGrantHours: z.number().positive().optional(),
  })
  .refine(({ targets, secrets }) => targets.length + secrets.length > 0, {
    error: 'must name targets or secrets, or it speaks of nothing',
  });

/** Who may have what done where. What no rule allows is denied. */
export type PolicyRule = z.infer<typeof rule>;

const repositorySettings = z.strictObject({
  /** `owner/name`, with `*` as in `targets`. */
  repository: z.string().regex(/^[\w.*-]+\/[\w.*-]+$/, { error: 'must be owner/name' }),
  /** Where its pushes are synced to; without it they are not. */
  target: target.optional(),
  schema: schemaName.optional(),
  /** Whose pushes are synced: a branch or tag. By default the repository's own default branch. */
  ref: z.string().min(1).max(255).optional(),
  /** The secret that holds the token to read it with. Public repositories need none. */
  token: z
    .string()
    .regex(/^projects\/[^/]+\/secrets\/[^/]+$/, { error: 'must be projects/…/secrets/…' })
    .optional(),
});

/** What is known beforehand of repositories that a pattern covers. */
export type RepositorySettings = z.infer<typeof repositorySettings>;

/** A JSON document given as text, or as `@path` of a file that holds it. */
const json = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text) as unknown;
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
        return z.NEVER;
      }
    })
    .pipe(schema);

const configSchema = z.object({
  GOOGLE_CLOUD_PROJECT: z.string().min(1),
  /** The one function that this process serves. */
  FUNCTION_TARGET: z.string().default(''),
  PORT: z.coerce.number().int().min(0).max(65535).default(8080),

  DROVER_FIRESTORE_DATABASE: z.string().default('(default)'),
  DROVER_RESULTS_TOPIC: z.string().default('operation-results'),

  /** Which instances may be touched, and how. The first entry that matches counts; without one: denied. */
  DROVER_INSTANCES: json(z.array(connectionSettings)).default([]),
  DROVER_POLICY: json(z.strictObject({ rules: z.array(rule) })).default({ rules: [] }),

  /** How long a worker may be silent before another takes its operation over. Renewed at a third of it. */
  DROVER_LEASE_SECONDS: seconds(60, 1, 600),
  /** Time from SIGTERM to exit. Cloud Run kills after 10 s. */
  DROVER_SHUTDOWN_SECONDS: seconds(8, 1, 600),
  /** How long an operation's record is kept after it ended (Firestore's TTL). */
  DROVER_RECORD_DAYS: z.coerce.number().int().min(32).max(3650).default(400),

  /** As many as a function handles messages at a time. */
  DROVER_CONNECTIONS_PER_DATABASE: z.coerce.number().int().min(1).max(100).default(16),
  DROVER_CONNECTIONS_PER_INSTANCE: z.coerce.number().int().min(1).max(1000).default(20),
  DROVER_CONNECTIONS_PER_PROCESS: z.coerce.number().int().min(1).max(1000).default(60),
  /** How long a caller waits for a connection before it is told that there are too few. */
  DROVER_CONNECTION_WAIT_SECONDS: seconds(30, 1, 540),

  /** Calls to the Cloud SQL Admin API per process. Google allows 180 per minute and user, all processes together. */
  DROVER_ADMIN_API_PER_MINUTE: z.coerce.number().int().min(1).max(6000).default(60),

  /** How often each database is compared with the registry. */
  DROVER_DRIFT_MINUTES: z.coerce.number().min(1).max(10_080).default(60),

  /** How long a rotated credential goes on working, where the secret doesn't say. */
  DROVER_SECRET_GRACE_HOURS: z.coerce.number().min(1).max(8760).default(24),
  /** How often secrets are rotated that have no policy of their own; 0: only when asked for. */
  DROVER_SECRET_ROTATION_DAYS: z.coerce.number().int().min(0).max(3650).default(90),
  /** How long after it was disabled a version is destroyed. */
  DROVER_SECRET_DESTROY_DAYS: z.coerce.number().min(1).max(3650).default(7),
  /** Regions that secrets are kept in, separated by commas; without any Google chooses. */
  DROVER_SECRET_LOCATIONS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((location) => location.trim() || [])),
  /** Scheduled rotations under way at a time, in all and per instance. */
  DROVER_ROTATIONS_AT_A_TIME: z.coerce.number().int().min(1).max(1000).default(20),
  DROVER_ROTATIONS_PER_INSTANCE: z.coerce.number().int().min(1).max(1000).default(4),
  /** After so many scheduled rotations in a row that failed, no more are begun for a while. */
  DROVER_ROTATION_FAILURES: z.coerce.number().int().min(1).max(1000).default(5),

  /** Plans of tenants, by name. */
  DROVER_PLANS: json(plansSchema).default(defaultPlans),
  /** The bucket with a place for each tenant; without one tenants get none. */
  DROVER_TENANTS_BUCKET: z.string().default(''),
  /** The bucket that removed tenants are archived to. */
  DROVER_ARCHIVE_BUCKET: z.string().default(''),
  /** Where datasets are, unless a message says another region. */
  DROVER_REGION: z.string().default('EU'),
  /** The platform's own dataset. */
  DROVER_DATASET: z.string().default('drover'),
  /** The Cloud KMS key that encrypts API keys: `projects/…/locations/…/keyRings/…/cryptoKeys/…`. */
  DROVER_KMS_KEY: z
    .string()
    .regex(/^(?:projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+)?$/, {
      error: 'must be the name of a key: projects/…/locations/…/keyRings/…/cryptoKeys/…',
    })
    .default(''),

  /**
   * Repositories on GitHub: where pushes go to, and with which token they are read. The first entry that matches counts; for a
   * push also its ref has to.
   */
  DROVER_REPOSITORIES: json(z.array(repositorySettings)).default([]),
  /** GitHub's API; of GitHub Enterprise Server `https://HOST/api/v3`. */
  DROVER_GITHUB_API: z.url().default('https://api.github.com'),
  /** What an archive of a repository may have at most: entries, bytes in all when unpacked, and bytes of a file that is read. */
  DROVER_ARCHIVE_ENTRIES: z.coerce.number().int().min(1).max(1_000_000).default(200_000),
  DROVER_ARCHIVE_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(4 * 1024 ** 3),
  DROVER_DOCUMENT_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .max(64 * 1024 ** 2)
    .default(5 * 1024 ** 2),

  /** What is done with objects that land in buckets. The first entry that matches counts; without one they are ignored. */
  DROVER_ROUTES: json(z.array(routeSchema).max(100)).default([]),

  DROVER_LOG_LEVEL: z.enum(['debug', 'info', 'warning', 'error']).default('info'),
});

/** Every setting of the program. */
export type Config = z.infer<typeof configSchema>;

/**
 * Reads the settings from environment variables.
 *
 * @throws Error that names every variable that is missing or wrong
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const parsed = configSchema.safeParse(environment);
  if (parsed.success) return parsed.data;
  throw new Error(`The configuration can't be used:\n${z.prettifyError(parsed.error)}`);
}

let current: Config | undefined;

/** The settings of this process, read from its environment once. */
export function config(): Config {
  current ??= readConfig(process.env);
  return current;
}

/** The connection settings for an instance, or undefined where the configuration doesn't name it. */
export function connectionFor(
  instance: string,
  settings: readonly ConnectionSettings[],
): ConnectionSettings | undefined {
  return settings.find((candidate) => matches(candidate.instances, instance));
}

/**
 * Whether a pattern covers a name. `*` stands for any run of characters but `:` and `/`, so that a pattern for one
 * project never reaches into another.
 */
export function matches(pattern: string, name: string): boolean {
  return new RegExp(`^${expressionOf(pattern)}$`, 's').test(name);
}

/** Likewise for names that are paths: `**` stands for any run of characters, `/` among them. */
export function matchesPath(pattern: string, name: string): boolean {
  return new RegExp(`^${pattern.split('**').map(expressionOf).join('.*')}$`, 's').test(name);
}

function expressionOf(pattern: string): string {
  return pattern.split('*').map(RegExp.escape).join('[^:/]*');
}
