"""Writes regatta.pdf, the PDF among the examples (needs reportlab).

python packaging/regatta_pdf.py
"""

from pathlib import Path

from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate

TEXT = (
    "The Rosesta Regatta takes place on 14 June. Harpool hosts the Rosesta Regatta. "
    "2650 tickets were sold for the Rosesta Regatta. The winner of the Rosesta Regatta gets a silver spoon."
)

if __name__ == "__main__":
    path = Path(__file__).parents[1] / "thoth" / "examples" / "regatta.pdf"
    SimpleDocTemplate(str(path), pagesize=A5, invariant=1).build([Paragraph(TEXT, getSampleStyleSheet()["BodyText"])])
