import { randomUUID } from 'node:crypto';
import { Firestore } from '@google-cloud/firestore';
import { cloudEvent } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';

/** The floor of a cold start: a function that loads the Firestore client and makes one call. */
const db = new Firestore();

cloudEvent('one-create', async () => {
  await db.collection('floor').doc(randomUUID()).create({ createdAt: new Date() });
});

getTestServer('one-create').listen(Number(process.env['PORT']));
