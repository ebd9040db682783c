import { attribute } from './request.ts';

/** The topic of what was given up: Pub/Sub's, and what a function itself puts there. */
export const deadLetterTopic = 'dead-letters';

/** What Pub/Sub's own names of a dead letter's attributes begin with. */
const source = 'CloudPubSubDeadLetterSource';

/**
 * The attributes of a dead letter as Pub/Sub would write them, with the id of its operation: what is published with them is
 * found by that operation's record.
 *
 * @see https://cloud.google.com/pubsub/docs/handling-failures#how_dead_letter_topics_work
 */
export function deadLetterAttributes(
  functionName: string,
  { operationId, publishedAt }: { readonly operationId: string; readonly publishedAt: Date },
): Record<string, string> {
  return {
    [attribute.operationId]: operationId,
    [attribute.publishedAt]: publishedAt.toISOString(),
    [`${source}Subscription`]: functionName,
    [`${source}TopicPublishTime`]: publishedAt.toISOString(),
  };
}

/** What is known of a dead letter, and its attributes as they were. */
export interface DeadLetterSource {
  /** The subscription's name, which is the function's. */
  readonly functionName: string | undefined;
  readonly publishTime: Date | undefined;
  readonly deliveries: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Pub/Sub adds to the attributes where a dead letter comes from. */
export function readDeadLetterSource(attributes: Readonly<Record<string, string>>): DeadLetterSource {
  const of = (field: string) => attributes[`${source}${field}`];
  const time = new Date(of('TopicPublishTime') ?? Number.NaN);
  const own = Object.entries(attributes).filter(([key]) => !key.startsWith('CloudPubSubDeadLetter'));
  return {
    functionName: of('Subscription'),
    publishTime: Number.isNaN(time.getTime()) ? undefined : time,
    deliveries: Number(of('DeliveryCount') ?? 0),
    attributes: Object.fromEntries(own),
  };
}
