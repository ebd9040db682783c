import * as z from 'zod';
import { tenantId } from '../tenants/id.ts';
import { canonicalJson, hash } from './canonical.ts';
import type { Delivery } from './delivery.ts';
import { OperationError } from './errors.ts';
import { placeOfError } from './json-place.ts';

/** Larger messages are refused: their content belongs into a bucket. */
export const maxMessageBytes = 256 * 1024;

/** One thing that is wrong with a message, and where. */
export interface Problem {
  /** `data.levels[0]`, `attributes.dry-run` */
  readonly path: string;
  readonly message: string;
}

/** What a publisher says about its message, beside its data. */
export interface Request {
  /** The publisher's idempotency key. */
  readonly operationId: string;
  readonly dryRun: boolean;
  /** Order among messages about the same thing, where the publisher has one (a commit number, say). */
  readonly revision?: number;
  /** When this was first asked for. A replay keeps it. */
  readonly publishedAt: Date;
  /** Who says to have asked. Pub/Sub doesn't authenticate it; nothing is decided by it. */
  readonly claimedActor?: string;
  readonly traceparent?: string;
  /** Who asks, where it is a tenant: said by who lets tenants ask, and never by a tenant. */
  readonly tenant?: string;
}

/** More than anybody reads; a hostile message has no end of them. */
const mostProblems = 100;

/** Attribute names of the message contract. */
export const attribute = {
  operationId: 'operation-id',
  dryRun: 'dry-run',
  revision: 'revision',
  publishedAt: 'original-publish-time',
  claimedActor: 'claimed-actor',
  traceparent: 'traceparent',
  tenant: 'tenant',
} as const;

const wholeNumber = `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;

const firstRecordable = Date.parse('0001-01-01T00:00:00Z');
const lastRecordable = Date.parse('9999-12-31T23:59:59.999Z');

/** Firestore holds no other time, and a message without a record would be delivered for ever. */
function isRecordable(text: string): boolean {
  const time = Date.parse(text);
  return time >= firstRecordable && time <= lastRecordable;
}

/** A time, with its offset, that can be written down. */
export const recordableTime = z.iso
  .datetime({ offset: true, abort: true })
  .refine(isRecordable, { error: 'must be in the years 1 to 9999' });

const attributes = z.object({
  [attribute.operationId]: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, { error: 'must be 1 to 256 printable ASCII characters without spaces' })
    .optional(),
  [attribute.dryRun]: z.enum(['true', 'false'], { error: 'must be true or false' }).optional(),
  [attribute.revision]: z
    .string()
    .regex(/^[0-9]{1,16}$/, { error: wholeNumber })
    .transform(Number)
    .refine(Number.isSafeInteger, { error: wholeNumber })
    .optional(),
  [attribute.publishedAt]: recordableTime.optional(),
  [attribute.claimedActor]: z.string().max(256).optional(),
  [attribute.traceparent]: z.string().optional(),
  [attribute.tenant]: tenantId.optional(),
});

/**
 * Reads the attributes. What can't be used is reported and replaced by its default, so that even a message without
 * any sense has a record that people can find.
 */
export function readRequest(delivery: Delivery): { request: Request; problems: Problem[] } {
  const problems: Problem[] = [];
  const usable: Record<string, string> = { ...delivery.attributes };
  let parsed = attributes.safeParse(usable);
  if (!parsed.success) {
    problems.push(...describe(parsed.error, 'attributes'));
    for (const issue of parsed.error.issues) delete usable[String(issue.path[0])];
    parsed = attributes.safeParse(usable);
  }
  const given = parsed.data ?? {};
  const revision = given[attribute.revision];
  const claimedActor = given[attribute.claimedActor];
  const traceparent = given[attribute.traceparent];
  const publishedAt = given[attribute.publishedAt];
  const tenant = given[attribute.tenant];
  const request: Request = {
    operationId: given[attribute.operationId] ?? delivery.messageId,
    dryRun: given[attribute.dryRun] === 'true',
    publishedAt: earlier(delivery.publishTime, publishedAt),
    ...(revision === undefined ? {} : { revision }),
    ...(claimedActor === undefined ? {} : { claimedActor }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tenant === undefined ? {} : { tenant }),
  };
  return { request, problems };
}

/** A replay is dated back, never forward: a date in the future would outrank whatever comes until then. */
function earlier(publishTime: Date, original: string | undefined): Date {
  const claimed = original === undefined ? publishTime : new Date(original);
  return claimed < publishTime ? claimed : publishTime;
}

/** The data of a message: valid, or what is wrong with it. `hash` identifies its content either way. */
export type ParsedData<M> = { hash: string; message: M } | { hash: string; problems: Problem[] };

/**
 * Parses and validates the data of a message.
 *
 * The hash is of the JSON value, not of its text (an order of keys or a space is no difference) and not of what the
 * schema makes of it (a new default in a new version of Drover must not turn a redelivery into a conflict).
 */
export function parseData<M>(data: Buffer, schema: z.ZodType<M>): ParsedData<M> {
  const raw = hash(data);
  if (data.length > maxMessageBytes) {
    const message = `is ${data.length} bytes; at most ${maxMessageBytes} are accepted`;
    return { hash: raw, problems: [{ path: 'data', message }] };
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch {
    return { hash: raw, problems: [{ path: 'data', message: 'is not UTF-8' }] };
  }
  let value: unknown;
  let canonical: string;
  try {
    value = JSON.parse(text);
    canonical = canonicalJson(value); // in here, for it overflows the stack on absurdly deep nesting
  } catch (error) {
    const message =
      error instanceof RangeError ? 'is nested too deeply' : `is not JSON: see ${placeOfError(text)}`;
    return { hash: raw, problems: [{ path: 'data', message }] };
  }
  const content = hash(canonical);
  if (loneSurrogate.test(canonical)) {
    const message = 'has half of a surrogate pair (\\ud800 to \\udfff alone), which is no text';
    return { hash: content, problems: [{ path: 'data', message }] };
  }
  const parsed = schema.safeParse(value);
  return parsed.success
    ? { hash: content, message: parsed.data }
    : { hash: content, problems: describe(parsed.error, 'data') };
}

/** JSON.stringify writes a surrogate without its other half as an escape, and pairs as they are. */
const loneSurrogate = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;

/** The error of a message that can never be valid. */
export function invalidMessage(problems: readonly Problem[]): OperationError {
  const list = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
  return new OperationError('INVALID_MESSAGE', `The message can't be used: ${list}`, {
    details: { problems },
  });
}

function describe(error: z.ZodError, root: string): Problem[] {
  const problems = error.issues.slice(0, mostProblems).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.slice(0, mostProblems).map((key) => ({
        path: pathOf(root, [...issue.path, key]),
        message: 'is not a field of this message',
      }));
    }
    return [{ path: pathOf(root, issue.path), message: issue.message }];
  });
  return problems.slice(0, mostProblems);
}

/** `data.levels[0]`; what isn't a plain word is quoted and cut, for it came from outside. */
function pathOf(root: string, parts: readonly PropertyKey[]): string {
  return parts.reduce<string>((path, part) => {
    if (typeof part === 'number') return `${path}[${part}]`;
    const name = String(part);
    return /^[\w-]{1,64}$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name.slice(0, 64))}]`;
  }, root);
}
