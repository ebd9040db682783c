import { config } from '../../shared/config.ts';
import type { Delivery } from '../../shared/operation/delivery.ts';

type Adapted = Partial<Pick<Delivery, 'data' | 'attributes'>> | { readonly ignore: string } | undefined;

/** What functions make of what others send to their topics. Their contracts, like the messages; loaded for who needs one. */
const adapters: Readonly<Record<string, (delivery: Delivery) => Promise<Adapted>>> = {
  'ingest-object': async (delivery) =>
    (await import('../ingest-object/notification.ts')).adaptNotification(delivery),
  'rotate-secret': async (delivery) =>
    (await import('../rotate-secret/notification.ts')).adaptNotification(delivery),
  'sync-repo-metadata': async (delivery) =>
    (await import('../sync-repo-metadata/webhook.ts')).adaptWebhook(delivery, config().DROVER_REPOSITORIES),
};

/** A dead letter as its function took it, for by that its operation is known. */
export async function adaptFor(functionName: string, delivery: Delivery): Promise<Delivery> {
  const adapted = await adapters[functionName]?.(delivery);
  return adapted && !('ignore' in adapted) ? { ...delivery, ...adapted } : delivery;
}
