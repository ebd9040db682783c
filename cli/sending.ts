import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { Manifest } from '../shared/manifest.ts';
import { attribute, parseData, type Request, readRequest } from '../shared/operation/request.ts';
import { isFinal, operationDocumentId } from '../shared/registry/operations.ts';
import { awaitEnd } from './await-end.ts';
import { ask, publishMessage } from './cloud.ts';
import { type ExitCode, exitCode, type Options } from './command.ts';
import { type Found, readRecordOf, withWholeLists } from './found.ts';
import { operationReport, timeText } from './operation-report.ts';
import { notice, print } from './output.ts';
import { startProgress } from './progress.ts';
import { recordJson } from './record-json.ts';
import { UsageError } from './usage-error.ts';

/** What every command that sends a message lets people say about it. */
export const messageOptions = {
  id: { type: 'string', placeholder: 'ID', about: 'the operation’s id; the default is a random one' },
  'dry-run': { type: 'boolean', about: 'only say what would be changed' },
  actor: { type: 'string', placeholder: 'NAME', about: 'who asks, for the record; nothing is decided by it' },
} as const satisfies Options;

/** And about waiting for its end. */
export const waitingOptions = {
  timeout: {
    type: 'string',
    placeholder: 'SECONDS',
    default: '120',
    about: 'how long to wait (default 120)',
  },
  json: { type: 'boolean', about: 'print the operation’s record as JSON and nothing else' },
} as const satisfies Options;

/** For a command that is about one operation: it waits unless it is told not to. */
export const waitUnlessTold = {
  type: 'boolean',
  default: true,
  about: 'wait until it has ended, and report it: the default; --no-wait only publishes',
} as const satisfies Options[string];

/** What such a command tells the shell, for its help. */
export const waitingExitCodes = [
  'Exit codes: 0 succeeded, planned or (with --no-wait) published; 1 failed; 2 unusable arguments; 3 still',
  'running when the time was over.',
] as const;

export interface Message {
  readonly topic: string;
  readonly functionName: string;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

export function messageTo(
  { name, trigger }: Manifest,
  data: Buffer,
  attributes: Message['attributes'],
): Message {
  return { topic: trigger.topic, functionName: name, data, attributes };
}

/**
 * What the arguments say about a message, as its attributes say it; checked by the contract's own rules.
 *
 * @throws UsageError
 */
export function attributesOf(values: {
  id?: string;
  'dry-run'?: boolean;
  revision?: string;
  actor?: string;
}): Record<string, string> {
  const attributes = {
    [attribute.operationId]: values.id ?? randomUUID(),
    ...(values['dry-run'] ? { [attribute.dryRun]: 'true' } : {}),
    ...(values.revision === undefined ? {} : { [attribute.revision]: values.revision }),
    ...(values.actor === undefined ? {} : { [attribute.claimedActor]: values.actor }),
  };
  const [problem] = requestOf(attributes).problems;
  if (problem) {
    const option: Record<string, string> = {
      [`attributes.${attribute.operationId}`]: '--id',
      [`attributes.${attribute.revision}`]: '--revision',
      [`attributes.${attribute.claimedActor}`]: '--actor',
    };
    throw new UsageError(`${option[problem.path] ?? problem.path} ${problem.message}`);
  }
  return attributes;
}

function requestOf(attributes: Message['attributes']) {
  return readRequest({ data: Buffer.alloc(0), attributes, messageId: '', publishTime: new Date() });
}

/** What is known about an operation before any worker has seen it; `id` is that of its record. */
export function identify({ functionName, data, attributes }: Message) {
  const { request } = requestOf(attributes);
  const { operationId, dryRun }: Request = request;
  return {
    id: operationDocumentId(functionName, request),
    operationId,
    dryRun,
    messageHash: parseData(data, z.unknown()).hash,
  };
}

/** Publishes a message and says under which id to look for what becomes of it. */
export async function sendOnly(message: Message, json: boolean): Promise<ExitCode> {
  const { id, ...known } = identify(message);
  const messageId = await publishMessage(message.topic, message.data, message.attributes);
  if (json) {
    print(recordJson(id, { function: message.functionName, ...known, messageId }));
  } else {
    print(known.operationId);
    notice(`Published to ${message.topic}. What becomes of it: drover operations ${known.operationId}`);
  }
  return exitCode.done;
}

/** How the end of an operation is told. */
export interface EndReport {
  readonly lines: (found: Found) => string[];
  readonly code: (found: Found) => ExitCode;
}

const briefReport: EndReport = {
  lines: (found) => operationReport(found, { whole: false }),
  code: ({ record }) => (record.state === 'failed' ? exitCode.failed : exitCode.done),
};

/** Publishes a message, waits until its operation has ended or the time is over, and reports it. */
export async function sendAndWait(
  message: Message,
  timeoutMs: number,
  json: boolean,
  report = briefReport,
): Promise<ExitCode> {
  const { id, ...known } = identify(message);
  const look = () => ask((db) => readRecordOf(db, id, known.messageHash));
  // A duplicate's end is in the record already: it must not be taken for what this message brought about.
  const before = await look();
  const messageId = await publishMessage(message.topic, message.data, message.attributes);
  if (before && isFinal(before.record.state)) return reportDuplicate(before, json, report);

  const progress = startProgress();
  const found = await awaitEnd(look, timeoutMs, (latest) => progress.show(latest?.record)).finally(() =>
    progress.stop(),
  );
  if (found && isFinal(found.record.state)) return reportEnd(found, json, report);
  if (found)
    print(...(json ? [recordJson(found.id, found.record)] : operationReport(found, { whole: false })));
  else if (json) print(recordJson(id, { function: message.functionName, ...known, messageId }));
  const state = found ? `still ${found.record.state}` : 'published, and no worker has taken it';
  notice(
    `After ${timeoutMs / 1000} s the operation is ${state}. Look again: drover operations ${known.operationId}`,
  );
  return exitCode.running;
}

async function reportDuplicate(found: Found, json: boolean, report: EndReport): Promise<ExitCode> {
  const { record } = found;
  const ended = record.finishedAt === undefined ? '' : ` at ${timeText(record.finishedAt)}`;
  notice(`This operation had ended before${ended}; it was not run again.`);
  return reportEnd(found, json, report);
}

/** Prints how an operation ended, and says it to the shell. */
async function reportEnd(found: Found, json: boolean, { lines, code }: EndReport): Promise<ExitCode> {
  if (json) {
    const whole = await ask((db) => withWholeLists(db, found));
    print(recordJson(whole.id, whole.record));
  } else {
    print(...lines(found));
  }
  return code(found);
}
