-- Writes down what one page of verdicts cost.
INSERT INTO llmmon.judge_usage (deployment, window_start, scorer, provenance_id, n_judged, n_failed, n_calls, n_failed_calls,
                                n_input_tokens, n_output_tokens, cost_usd, n_without_cost)
VALUES (%(deployment)s, %(start)s, %(scorer)s, %(provenance_id)s, %(n_judged)s, %(n_failed)s, %(n_calls)s, %(n_failed_calls)s,
        %(n_input_tokens)s, %(n_output_tokens)s, %(cost_usd)s, %(n_without_cost)s)
