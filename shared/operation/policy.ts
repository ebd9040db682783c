import { matches, type PolicyRule } from '../config.ts';
import { formatTarget, type Target } from '../postgres/target.ts';
import { OperationError } from './errors.ts';

/** What a message would have Drover do, in the policy's terms. */
export interface AccessRequest {
  readonly target: Target;
  readonly levels: readonly string[];
  /** Logins that are given one of them. */
  readonly principals: readonly string[];
  /** Things that reach beyond one schema, such as `adopt`. */
  readonly actions: readonly string[];
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
): OperationError | undefined {
  const target = formatTarget(request.target);
  const about = rules.filter(
    (rule) =>
      rule.functions.includes(functionName) && rule.targets.some((pattern) => matches(pattern, target)),
  );
  if (about.length === 0) {
    return notAllowed(`No rule allows ${functionName} on ${target}.`, { target });
  }
  const missing = about.map((rule) => lacking(request, rule)).sort((a, b) => a.length - b.length);
  const [least = []] = missing;
  if (least.length === 0) return undefined;
  return notAllowed(`The rules for ${functionName} on ${target} don't allow: ${least.join(', ')}.`, {
    target,
    missing: least,
  });
}

/** What a request asks for and a rule doesn't allow. */
function lacking({ levels, principals, actions }: AccessRequest, rule: PolicyRule): string[] {
  return [
    ...levels.filter((level) => !rule.levels.includes(level)).map((level) => `level ${level}`),
    ...principals
      .filter((principal) => !rule.principals.some((pattern) => matches(pattern, principal)))
      .map((principal) => `principal ${principal}`),
    ...actions.filter((action) => !rule.actions.includes(action)),
  ];
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
