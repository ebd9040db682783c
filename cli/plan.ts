import type { ManifestProblem } from '../functions/ingest-object/manifest/places.ts';
import { ingestObjectMessage, type PlanManifest } from '../functions/ingest-object/message.ts';
import { OperationError } from '../shared/operation/errors.ts';
import { maxMessageBytes } from '../shared/operation/request.ts';
import { parseArguments, waitingTimeMs } from './arguments.ts';
import { withCloud } from './cloud.ts';
import { type Command, type ExitCode, exitCode, type Options } from './command.ts';
import type { Found } from './found.ts';
import { readData } from './message-data.ts';
import { operationReport } from './operation-report.ts';
import { notice, print } from './output.ts';
import { plannedIn, planReport, refusedIn } from './plan-report.ts';
import { printableLine } from './printable.ts';
import { sendableFunction } from './sendable.ts';
import { attributesOf, messageOptions, messageTo, sendAndWait, waitingOptions } from './sending.ts';
import { UsageError } from './usage-error.ts';

const { 'dry-run': _, ...aboutMessage } = messageOptions;

const options = {
  bucket: {
    type: 'string',
    placeholder: 'BUCKET',
    about: 'where it would be uploaded: what that file claims already is no conflict',
  },
  object: { type: 'string', placeholder: 'OBJECT', about: 'under which name' },
  schema: { type: 'boolean', about: 'print the JSON Schema of manifests and nothing else' },
  ...aboutMessage,
  ...waitingOptions,
} as const satisfies Options;

/** `drover plan FILE`: what a manifest would do. */
export const planManifestCommand: Command = {
  name: 'plan',
  usage: 'FILE|- [options]',
  summary: 'show what a manifest would do, before it is uploaded',
  description: [
    'The file is checked here first: what is wrong with it is told with line and column, and nothing is sent. Then',
    'the function ingest-object plans it. It changes nothing, and says of each part, in the order in which they are',
    'done: + it adds something, ~ it changes something, = it is so already, ! it is refused.',
    '',
    'Exit codes: 0 planned; 1 the manifest can’t be used, or something of it is refused; 2 unusable arguments; 3 still',
    'running when the time was over.',
  ].join('\n'),
  options,
  examples: [
    'plan samples/manifests/billing.yaml',
    'plan billing.yaml --bucket acme-manifests --object manifests/billing.yaml --json',
    'plan --schema > docs/schemas/manifest.json',
  ],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['FILE']);
    const [file] = positionals;
    if (values.schema) {
      if (file !== undefined) throw new UsageError(`--schema is about all manifests: leave out ${file}`);
      const { manifestJsonSchemaText } = await import('../functions/ingest-object/manifest/json-schema.ts');
      print(manifestJsonSchemaText());
      return exitCode.done;
    }
    if (file === undefined) throw new UsageError('Which manifest? Give its file.');
    const timeoutMs = waitingTimeMs(values.timeout);
    const attributes = attributesOf({ ...values, 'dry-run': true });
    const bytes = await readData(file === '-' ? file : `@${file}`);
    const problems = await problemsOf(bytes);
    if (problems) return refuse(file, problems);
    const manifest = new TextDecoder().decode(bytes);
    const data = planMessage({ manifest, bucket: values.bucket, object: values.object });
    const message = messageTo(sendableFunction('ingest-object'), data, attributes);
    return withCloud(['Firestore', 'Pub/Sub'], () =>
      sendAndWait(message, timeoutMs, values.json ?? false, { lines: reportOf, code: codeOf }),
    );
  },
};

/** @throws OperationError `MANIFEST_TOO_LARGE` */
async function problemsOf(bytes: Buffer): Promise<readonly ManifestProblem[] | undefined> {
  // No other command needs the library that reads YAML.
  const { readManifestBytes } = await import('../functions/ingest-object/manifest/read.ts');
  try {
    readManifestBytes(bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== 'INVALID_MANIFEST') throw error;
    return error.details?.['problems'] as readonly ManifestProblem[];
  }
}

/** As compilers do it, so that editors lead to the place. */
function refuse(file: string, problems: readonly ManifestProblem[]): ExitCode {
  const name = file === '-' ? 'standard input' : file;
  for (const { line, column, path, message } of problems)
    notice(printableLine(`${name}:${line}:${column}: ${path}: ${message}`));
  notice('INVALID_MANIFEST: nothing was sent.');
  return exitCode.failed;
}

/**
 * @throws UsageError where the options can't be used
 * @throws OperationError `MANIFEST_TOO_LARGE` where no message can have it
 */
function planMessage(about: {
  manifest: string;
  bucket: string | undefined;
  object: string | undefined;
}): Buffer {
  const { manifest, bucket, object } = about;
  if ((bucket === undefined) !== (object === undefined))
    throw new UsageError('--bucket and --object go together: where the file would be uploaded');
  const place = bucket === undefined || object === undefined ? {} : { bucket, object };
  const content: PlanManifest = { event: 'PLAN_MANIFEST', manifest, ...place };
  const { error } = ingestObjectMessage.safeParse(content);
  const [problem] = error?.issues ?? [];
  if (problem) throw new UsageError(`--${problem.path.join('.')} ${problem.message}`);
  const data = Buffer.from(JSON.stringify(content));
  if (data.length <= maxMessageBytes) return data;
  throw new OperationError(
    'MANIFEST_TOO_LARGE',
    `As a message the manifest has ${data.length} bytes, and may have ${maxMessageBytes}. It can be uploaded, but not planned: make several of it.`,
  );
}

function reportOf(found: Found): string[] {
  const plan = plannedIn(found.record);
  if (plan === undefined || found.record.state === 'failed') return operationReport(found, { whole: false });
  return planReport(plan, found.record);
}

function codeOf({ record }: Found): ExitCode {
  const plan = plannedIn(record);
  const isRefused = plan !== undefined && refusedIn(plan, record) > 0;
  return record.state === 'failed' || isRefused ? exitCode.failed : exitCode.done;
}
