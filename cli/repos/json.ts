import type { RepositoryProblem, RepositorySummary } from '../../shared/registry/repositories/model.ts';
import { redact } from '../../shared/telemetry/redact.ts';

/** What a repository says, and why it failed, fit to be printed: secrets are taken out once more, as from every event. */
export function repositoryJson<T extends RepositorySummary & { problems?: readonly RepositoryProblem[] }>(
  record: T,
): T {
  const { failure, problems } = record;
  return {
    ...record,
    ...(failure && { failure: { ...failure, message: redacted(failure.message) } }),
    ...(problems && { problems: problems.map(problemJson) }),
  };
}

/** Likewise a problem, which may show what is in a file. */
export function problemJson(problem: RepositoryProblem): RepositoryProblem {
  return { ...problem, message: redacted(problem.message) };
}

function redacted(text: string): string {
  return String(redact(text));
}
