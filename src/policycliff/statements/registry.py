"""All statements, in the order of the paper, then the results beyond it, then the errata."""

from policycliff.statements import (
    errata_maps,
    errata_mixtures,
    errata_soft,
    lemma_4_2,
    proposition_2_4,
    proposition_4_3,
    proposition_4_5,
    proposition_4_7,
    remark_4_1,
    result_2,
    result_3,
    result_8,
    result_11,
    section_3_4,
    theorem_2_7,
)
from policycliff.statements.statement import Statement

STATEMENTS: tuple[Statement, ...] = (
    proposition_2_4.STATEMENT,
    theorem_2_7.STATEMENT,
    section_3_4.STATEMENT,
    remark_4_1.STATEMENT,
    lemma_4_2.STATEMENT,
    proposition_4_3.STATEMENT,
    proposition_4_5.STATEMENT,
    proposition_4_7.STATEMENT,
    result_2.STATEMENT,
    result_3.STATEMENT,
    result_8.STATEMENT,
    result_11.STATEMENT,
    *errata_maps.ERRATA,
    *errata_mixtures.ERRATA,
    *errata_soft.ERRATA,
)
