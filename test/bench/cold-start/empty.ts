import { cloudEvent } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';

/** Nothing at all, for comparison: what the Functions Framework itself takes. */
cloudEvent('empty', () => undefined);

getTestServer('empty').listen(Number(process.env['PORT']));
