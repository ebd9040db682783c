import { isUtf8 } from 'node:buffer';
import { OperationError } from '../../../shared/operation/errors.ts';
import { maxManifestBytes } from '../message.ts';
import { type Issue, issuesOf } from './issues.ts';
import { type Manifest, manifestSchema } from './model.ts';
import { type ManifestProblem, pathText } from './places.ts';
import { issuesBetween } from './rules.ts';
import { readYaml } from './yaml.ts';

/** More than anybody reads; a hostile file has no end of them. */
const mostProblems = 100;

/** As many as a message of an error has. */
const mostListed = 5;

/**
 * Reads a manifest: YAML 1.2, of which JSON is a part.
 *
 * @throws OperationError `INVALID_MANIFEST` with what is wrong with it as `details.problems`, {@link ManifestProblem}s;
 *   `MANIFEST_TOO_LARGE`
 */
export function readManifest(text: string): Manifest {
  refuseTooLarge(Buffer.byteLength(text));
  const source = text.replace(/^\ufeff/, '');
  const read = readYaml(source);
  if ('faults' in read) throw invalidManifest(read.faults.map((fault) => ({ path: pathText([]), ...fault })));
  const { value, placeOf } = read;
  const refuse = (issues: readonly Issue[]) => {
    const problems = distinct(issues).map(({ path, at, message }) => ({
      path: pathText(path),
      ...placeOf(path, at),
      message,
    }));
    return invalidManifest(problems.sort((a, b) => a.line - b.line || a.column - b.column));
  };
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw refuse(issuesOf(parsed.error, value, mostProblems));
  const manifest = asWritten(parsed.data, value as Written);
  const issues = issuesBetween(manifest);
  if (issues.length > 0) throw refuse(issues);
  return manifest;
}

/**
 * Reads a manifest from a file's bytes.
 *
 * @throws OperationError as {@link readManifest}; `INVALID_MANIFEST` where they are no UTF-8
 */
export function readManifestBytes(bytes: Uint8Array): Manifest {
  refuseTooLarge(bytes.length);
  if (isUtf8(bytes)) return readManifest(new TextDecoder().decode(bytes));
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  const line = 1 + lines.findIndex((one) => !isUtf8(Buffer.from(one, 'latin1')));
  throw invalidManifest([{ path: pathText([]), line, column: 1, message: 'is not UTF-8' }]);
}

type Written = Pick<Manifest, 'tenant'> & Partial<Pick<Manifest, 'secrets'>>;

function asWritten(parsed: ReturnType<typeof manifestSchema.parse>, written: Written): Manifest {
  const { tenant, secrets, ...rest } = parsed;
  return {
    ...rest,
    ...(tenant && written.tenant ? { tenant: { ...written.tenant, schema: tenant.schema } } : {}),
    secrets: written.secrets ?? {},
  };
}

/** Each once: a line for ten principals is wrong once. */
function distinct(issues: readonly Issue[]): Issue[] {
  const seen = new Map(issues.map((issue) => [JSON.stringify([issue.path, issue.message]), issue]));
  return [...seen.values()].slice(0, mostProblems);
}

function refuseTooLarge(bytes: number): void {
  if (bytes <= maxManifestBytes) return;
  throw new OperationError(
    'MANIFEST_TOO_LARGE',
    `The manifest has ${bytes} bytes, and may have ${maxManifestBytes}. Make several of it.`,
    { details: { bytes, most: maxManifestBytes } },
  );
}

function invalidManifest(problems: readonly ManifestProblem[]): OperationError {
  const list = problems
    .slice(0, mostListed)
    .map(({ path, line, column, message }) => `${line}:${column} ${path}: ${message}`);
  const more = problems.length > mostListed ? `; and ${problems.length - mostListed} more` : '';
  return new OperationError('INVALID_MANIFEST', `The manifest can't be used: ${list.join('; ')}${more}`, {
    details: { problems },
  });
}
