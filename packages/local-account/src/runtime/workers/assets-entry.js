/** What a Worker's binding to its assets reaches: Miniflare's assets, without what they tell `wrangler dev` in a header. */

const TO_WRANGLER = "X-Mf-Additional-Response-Log";

export default {
  async fetch(request, { ASSETS }) {
    const answer = await ASSETS.fetch(request);
    if (!answer.headers.has(TO_WRANGLER)) return answer;
    const shown = new Response(answer.body, answer);
    shown.headers.delete(TO_WRANGLER);
    return shown;
  },
};
