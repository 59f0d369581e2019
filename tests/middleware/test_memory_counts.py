import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.tokenizer import Tokenizer
from middleware.memory_counts import about


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. Does it? Yes, and it does so again.",
        "检索需要特别的分词和排序方法。我们昨天讨论了项目的时间表，并决定在下周五之前完成第一阶段。",
        "Вчера мы обсудили расписание проекта и решили закончить первый этап к следующей пятнице.",
        "ناقشنا أمس الجدول الزمني للمشروع وقررنا إنهاء المرحلة الأولى بحلول يوم الجمعة المقبل.",
        "for i in range(10):\n    print(names[i], end='')\n",
    ],
)
def test_an_estimate_is_not_far_off(text: str) -> None:
    assert 0.75 < about(text * 5) / Tokenizer().counted(text * 5) < 1.8


@given(st.text(), st.text())
def test_more_text_has_more_tokens(one: str, other: str) -> None:
    assert 0 <= about(one) <= about(one + other) <= about(one) + about(other)
