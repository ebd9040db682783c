import type { Delivery } from '../../shared/operation/delivery.ts';

/**
 * Secret Manager's own notification as a message: the secret's rotation is due. The other events of the same topic ask for
 * nothing; neither does the notification that a topic was configured.
 *
 * @see https://cloud.google.com/secret-manager/docs/event-notifications
 */
export function adaptNotification({
  attributes,
}: Pick<Delivery, 'attributes'>): { data: Buffer } | { ignore: string } | undefined {
  const { eventType, secretId } = attributes;
  if (eventType === undefined) return undefined;
  if (eventType !== 'SECRET_ROTATE') return { ignore: `${eventType} asks for nothing` };
  // `projects/NUMBER/secrets/ID`; what is wrong with another one is said like of any message.
  const secret = secretId?.split('/').at(-1) ?? '';
  return { data: Buffer.from(JSON.stringify({ secret, scheduled: true })) };
}
