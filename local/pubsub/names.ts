import { invalidArgument } from './errors.ts';

/** A full name such as `projects/p/topics/t`, taken apart. */
export interface ResourceName {
  readonly full: string;
  readonly project: string;
  readonly id: string;
}

/** What the `topic` field of a subscription says once its topic is gone. */
export const deletedTopic = '_deleted-topic_';

const id = /^[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}$/;

/**
 * Reads the name of a topic.
 *
 * @param field the request's field, for the error message
 * @throws INVALID_ARGUMENT where the rules of https://cloud.google.com/pubsub/docs/admin#resource_names are broken
 */
export function parseTopicName(value: unknown, field = 'name'): ResourceName {
  return parse('topics', value, field);
}

/** Reads the name of a subscription; the rules are those of {@link parseTopicName}. */
export function parseSubscriptionName(value: unknown, field = 'name'): ResourceName {
  return parse('subscriptions', value, field);
}

/** Reads `projects/p` and returns `p`. */
export function parseProjectName(value: unknown): string {
  const match = typeof value === 'string' ? /^projects\/([^/]+)$/.exec(value) : null;
  if (match?.[1] === undefined) throw invalidName('project', value);
  return match[1];
}

function parse(collection: 'topics' | 'subscriptions', value: unknown, field: string): ResourceName {
  if (typeof value !== 'string') throw invalidName(field, value);
  const [projects, project, kind, name, ...rest] = value.split('/');
  const wellFormed = projects === 'projects' && kind === collection && rest.length === 0;
  if (!wellFormed || !project || !name || !id.test(name) || name.startsWith('goog')) {
    throw invalidName(field, value);
  }
  return { full: value, project, id: name };
}

function invalidName(field: string, value: unknown) {
  return invalidArgument(
    `Invalid resource name given (${field}=${value ?? ''}). Refer to https://cloud.google.com/pubsub/docs/admin#resource_names for more information.`,
  );
}
