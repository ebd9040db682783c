import { matches, matchesPath, type PolicyRule } from '../config.ts';
import { formatTarget, type Target } from '../postgres/target.ts';
import { OperationError } from './errors.ts';

/** What a message would have Drover do, in the policy's terms. */
export interface AccessRequest {
  /** Undefined where it has nothing to do with a database. */
  readonly target?: Target | undefined;
  /** The one schema of it that it is about; undefined where it is about the database as a whole. */
  readonly schema?: string | undefined;
  /** Beyond that, what else is changed by it: something of the whole database, or of the whole instance. */
  readonly reaches?: 'database' | 'instance' | undefined;
  /** Ids of secrets in Secret Manager. */
  readonly secrets?: readonly string[];
  /** What is read into it: `github:owner/name`, `gs://bucket/object`. */
  readonly repositories?: readonly string[];
  readonly levels: readonly string[];
  /** Logins that are given one of them. */
  readonly principals: readonly string[];
  /** Things that reach beyond one schema or one grant, such as `adopt`. */
  readonly actions: readonly string[];
  /** When the last of its grants ends; `never` where one doesn't. Undefined where it grants nothing that could. */
  readonly until?: Date | 'never';
}

/**
 * Whether one rule allows all of a request: rights are not put together from several rules, so that each can be
 * read by itself.
 *
 * @returns undefined if it is allowed, else the error that says what is missing
 */
export function authorize(
  functionName: string,
  request: AccessRequest,
  rules: readonly PolicyRule[],
  now = new Date(),
): OperationError | undefined {
  const target = request.target && formatTarget(request.target);
  const about = rules.filter(
    (rule) => rule.functions.includes(functionName) && speaksOf(rule, target, request.secrets),
  );
  const what = subjectOf(request) ?? '';
  const details = target === undefined ? { names: request.secrets } : { target };
  if (about.length === 0) return notAllowed(`No rule allows ${functionName} on ${what}.`, details);
  const missing = about.map((rule) => lacking(request, rule, now)).sort((a, b) => a.length - b.length);
  const [least = []] = missing;
  if (least.length === 0) return undefined;
  return notAllowed(`The rules for ${functionName} on ${what} don't allow: ${least.join(', ')}.`, {
    ...details,
    missing: least,
  });
}

/** What a request is about, for people and the operation's record: a database, or secrets. */
export function subjectOf({ target, secrets = [] }: AccessRequest): string | undefined {
  if (target !== undefined) return formatTarget(target);
  return secrets.length > 0 ? `secret ${secrets.join(', ')}` : undefined;
}

function speaksOf(rule: PolicyRule, target: string | undefined, secrets: readonly string[] = []): boolean {
  return (
    (target === undefined || rule.targets.some((pattern) => matches(pattern, target))) &&
    secrets.every((secret) => rule.secrets.some((pattern) => matches(pattern, secret)))
  );
}

/** What a request asks for and a rule doesn't allow. */
function lacking(
  { repositories = [], levels, principals, actions, until }: AccessRequest,
  rule: PolicyRule,
  now: Date,
): string[] {
  return [
    ...repositories
      .filter((repository) => !rule.repositories.some((pattern) => matchesPath(pattern, repository)))
      .map((repository) => `repository ${repository}`),
    ...levels
      .filter((level) => !rule.levels.some((pattern) => matches(pattern, level)))
      .map((level) => `level ${level}`),
    ...principals
      .filter((principal) => !rule.principals.some((pattern) => matches(pattern, principal)))
      .map((principal) => `principal ${principal}`),
    ...actions.filter((action) => !rule.actions.includes(action)),
    ...(isTooLong(until, rule, now) ? [`grants for more than ${rule.longestGrantHours} hours`] : []),
  ];
}

function isTooLong(until: AccessRequest['until'], { longestGrantHours }: PolicyRule, now: Date): boolean {
  if (until === undefined || longestGrantHours === undefined) return false;
  return until === 'never' || until.getTime() > now.getTime() + longestGrantHours * 3_600_000;
}

function notAllowed(what: string, details: Record<string, unknown>): OperationError {
  return new OperationError(
    'NOT_ALLOWED',
    `${what} The policy is in DROVER_POLICY; replay the message once it allows this.`,
    {
      details,
    },
  );
}
