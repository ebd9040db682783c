import * as z from 'zod';
import { config } from '../../shared/config.ts';
import { firestore } from '../../shared/gcp/firestore.ts';
import { classify } from '../../shared/operation/classify.ts';
import { readDeadLetterSource } from '../../shared/operation/dead-letter.ts';
import { type Delivery, readDelivery } from '../../shared/operation/delivery.ts';
import { notAcknowledged } from '../../shared/operation/not-acknowledged.ts';
import { publishResult } from '../../shared/operation/report.ts';
import { attribute, parseData, readRequest } from '../../shared/operation/request.ts';
import { runAbortable } from '../../shared/operation/running.ts';
import type { Wanted } from '../../shared/registry/claims.ts';
import { markReported } from '../../shared/registry/completion.ts';
import { exhaustOperation, findRecord, noteDeadLetter } from '../../shared/registry/exhausted.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { createLogger } from '../../shared/telemetry/log.ts';
import { adaptFor } from './adapters.ts';
import limits from './function.json' with { type: 'json' };

const name = 'dead-letter';

/**
 * Records what Pub/Sub gave up on. The record comes first and the acknowledgement last; this function's own
 * subscription has no dead-letter topic, so nothing can get lost here.
 */
export default async function deadLetter(event: unknown): Promise<void> {
  const log = createLogger({ function: name });
  try {
    await runAbortable(limits.timeoutSeconds * 1000, async () => {
      const db = await firestore();
      const { delivery, functionName, deliveries } = readDeadLetter(readDelivery(event));
      const wanted = await identify(await adaptFor(functionName, delivery), functionName);
      // Without a count it isn't Pub/Sub's: a function has put it here, whose operation ends by itself.
      if (deliveries === 0 && (await noteDeadLetter(db, wanted))) return;
      const exhausted = await exhaustOperation(db, wanted, deliveries);
      if (exhausted === undefined) return;
      await publishResult(exhausted.id, exhausted.record);
      await markReported(db, exhausted.id, exhausted.record);
      log.log('ERROR', 'operation exhausted', {
        record: exhausted.id,
        operation: wanted.request.operationId,
        source: functionName,
        deliveries,
      });
    });
  } catch (error) {
    throw notAcknowledged(log, classify(error));
  }
}

/** The message as it was, and where from: Pub/Sub adds that to the attributes, and gives it a new id and time. */
function readDeadLetter(delivery: Delivery): {
  delivery: Delivery;
  functionName: string;
  deliveries: number;
} {
  const source = readDeadLetterSource(delivery.attributes);
  return {
    delivery: {
      ...delivery,
      attributes: source.attributes,
      publishTime: source.publishTime ?? delivery.publishTime,
    },
    functionName: source.functionName ?? name,
    deliveries: source.deliveries,
  };
}

async function identify(delivery: Delivery, functionName: string): Promise<Wanted> {
  const { request } = readRequest(delivery);
  const { hash: messageHash } = parseData(delivery.data, z.unknown());
  const wanted = {
    id: operationDocumentId(functionName, request),
    functionName,
    request,
    delivery,
    messageHash,
    target: undefined,
    leaseSeconds: config().DROVER_LEASE_SECONDS,
  };
  if (request.operationId === delivery.attributes[attribute.operationId]) return wanted;
  const known = await findRecord(await firestore(), wanted);
  return known
    ? { ...wanted, id: known.id, request: { ...request, operationId: known.operationId } }
    : wanted;
}
