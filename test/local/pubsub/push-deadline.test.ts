import { expect, test } from 'vitest';
import { createTopic, newName, publish, startEndpoint, useCloud } from './fixture.ts';

const cloud = useCloud();

// In a file of its own because it takes the shortest deadline that the service allows: 10 seconds.
test('a push without an answer within the acknowledgement deadline is given up and repeated', async () => {
  const closed: Promise<unknown>[] = [];
  const endpoint = await startEndpoint((response, _, request) => {
    if (closed.length > 0) response.writeHead(204).end();
    closed.push(new Promise((resolve) => request.socket.once('close', resolve)));
  });
  const topic = await createTopic(cloud);
  await topic.createSubscription(newName('sub'), { pushEndpoint: endpoint.url, ackDeadlineSeconds: 10 });
  await publish(topic, 'a');
  const [first, second] = await endpoint.arrived(2);
  await closed[0];
  await cloud.server.idle();
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(10_000);
  expect(second?.text).toBe(first?.text);
  expect(endpoint.requests).toHaveLength(2);
});
