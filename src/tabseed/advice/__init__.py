"""Before anything is trained: will a model gain from synthetic rows, and what else would help?"""

from tabseed.advice.advise import Advice, advise

__all__ = ["Advice", "advise"]
