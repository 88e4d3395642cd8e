"""Ask people, and check the judges.

Every day, lets each scorer judge its anchors again (`anchor_shift` tells a changed judge from a changed model), draws
from the day before the responses whose label would shrink the interval of a corrected rate fastest, and asks people
about those that nobody has judged. They answer under Required Actions, or on the llmmon page under Review, where the
texts are. What nobody answers within 20 hours stays open and is asked again; no answer is never a label.

Nothing waits for this DAG: rates without enough labels say `uncalibrated` and how many are missing.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from llmmon_airflow import review_steps
from llmmon_airflow.defaults import TAGS, default_args
from llmmon_airflow.review import AskReviewer

with DAG(
    dag_id="review",
    # without a start date the first run waits for the next tick instead of making up for the last one
    schedule=CronTriggerTimetable("20 4 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=TAGS,
    doc_md=__doc__,
):

    @task(execution_timeout=timedelta(hours=1))
    def judge_anchors() -> dict[str, object]:
        """Let each scorer judge its anchors again."""
        return review_steps.rescore_anchors()

    @task
    def draw() -> list[dict[str, object]]:
        """Draw from days that are over, and return what people are asked."""
        return review_steps.draw_review()

    judge_anchors()
    AskReviewer.partial(
        task_id="ask",
        map_index_template="{{ task.item }}",
        doc_md="Wait for a person's judgement of one item; without one the item stays open.",
    ).expand_kwargs(draw())
