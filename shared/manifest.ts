import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';

/**
 * What a function's `function.json` says: read by Terraform, the local cloud, the command line and the tests.
 *
 * Push acknowledges within 600 s and can't be extended, so a function has at most 540 s.
 */
export const manifestSchema = z.strictObject({
  description: z.string(),
  trigger: z.strictObject({
    topic: z.string(),
    /** When `{}` is published to the topic: a cron expression, in UTC. */
    schedule: z.string().optional(),
    /** Which events of the buckets that objects are uploaded to are published to the topic. */
    bucketEvents: z
      .array(z.enum(['OBJECT_FINALIZE', 'OBJECT_METADATA_UPDATE', 'OBJECT_DELETE', 'OBJECT_ARCHIVE']))
      .optional(),
  }),
  subscription: z.strictObject({
    ackDeadlineSeconds: z.number().int().min(10).max(600),
    minimumBackoffSeconds: z.number().min(0).max(600),
    maximumBackoffSeconds: z.number().min(0).max(600),
    /** Which messages of the topic it gets. @see https://cloud.google.com/pubsub/docs/subscription-message-filter */
    filter: z.string().max(256).optional(),
    /** Without it nothing is ever given up. */
    maxDeliveryAttempts: z.number().int().min(5).max(100).optional(),
  }),
  timeoutSeconds: z.number().int().min(1).max(540),
  memoryMib: z.number().int(),
  /** Messages that one instance handles at a time. */
  concurrency: z.number().int().min(1).max(1000),
  /** Variables of its own, beside its settings: for what is read before any of its code runs. */
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
  permissions: z.strictObject({
    /** IAM roles on the project. */
    roles: z.array(z.string()),
    /** Single permissions on the project, where every predefined role that has them is too wide. */
    single: z.array(z.string()).default([]),
    /** Topics it publishes to. */
    publishes: z.array(z.string()),
    /** What its login may do on the instances: `writer` acts as Drover's admins. */
    database: z.enum(['writer']).optional(),
  }),
});

export type Manifest = z.infer<typeof manifestSchema> & { readonly name: string };

const functionsFolder = path.resolve(import.meta.dirname, '..', 'functions');

/** The manifests of all functions: every folder in `functions/` that has a `function.json`. */
export function readManifests(folder = functionsFolder): Manifest[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => existsSync(path.join(folder, name, 'function.json')))
    .map(({ name }) => {
      const text = readFileSync(path.join(folder, name, 'function.json'), 'utf8');
      return { name, ...manifestSchema.parse(JSON.parse(text)) };
    });
}

/** The database login of a function's service account; `domain:project` becomes `project.domain` in its e-mail. */
export function functionLogin(functionName: string, project: string): string {
  const [domain, id] = project.split(':');
  return `drover-${functionName}@${id === undefined ? project : `${id}.${domain}`}.iam`;
}
